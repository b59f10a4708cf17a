//! Writes changes to the text of a file.

use super::changes::{Bindings, Changes};
use super::content::Content;
use super::edit::EditError;
use super::editor::{Editor, Slot, Style, entries, find};
use crate::desired::{Document, Node, ShortName, Value};
use crate::model::{ConnectorKey, FlowId, Step};

type Items = Vec<(String, Content)>;

/// Returns the text of a file with changes.
pub(super) fn rewrite(document: &Document, changes: &Changes) -> Result<String, EditError> {
    let root = document.tree().ok_or(EditError::Layout)?;
    let editor = Editor::new(document.text(), &root);
    let in_block = editor.style(&root) == Style::Block;
    let mut rewriter = Rewriter { text: document.text(), editor, root: &root, in_block, new: Vec::new() };
    rewriter.steps(changes)?;
    rewriter.connectors(changes)?;
    rewriter.flows(&changes.flows)?;
    rewriter.top_level()?;
    rewriter.editor.finish()
}

struct Rewriter<'s> {
    text: &'s str,
    editor: Editor<'s>,
    root: &'s Node<'s>,
    /// Whether the keys of the file are a block mapping.
    in_block: bool,
    /// New keys of the file.
    new: Items,
}

impl<'s> Rewriter<'s> {
    fn steps(&mut self, changes: &Changes) -> Result<(), EditError> {
        let Some(steps) = &changes.steps else { return Ok(()) };
        let names: Vec<_> = steps.iter().map(|step| step.name()).collect();
        let Some((_, node)) = find(self.root, "steps") else {
            let names = names.into_iter().map(str::to_owned).collect();
            self.new.push(("steps".to_owned(), Content::List(names)));
            return Ok(());
        };
        let Value::Sequence(given) = &node.value else { return Err(EditError::Layout) };
        let is_given =
            |name: &str| given.iter().any(|it| matches!(&it.value, Value::String(it) if it == name));
        let missing: Vec<_> = names.iter().copied().filter(|name| !is_given(name)).collect();
        self.editor.append(node, &missing)
    }

    fn connectors(&mut self, changes: &Changes) -> Result<(), EditError> {
        let own = find(self.root, "connectors");
        let mut new = Items::new();
        for (short, url) in &changes.pins {
            let url = Content::Text(url.to_string());
            let entry = own.and_then(|(_, own)| find(own, short));
            let Some(entry) = entry else {
                new.push((short.clone(), Content::Mapping(vec![("targetUrl".to_owned(), url)])));
                continue;
            };
            self.set(entry, "displayName", "targetUrl", url)?;
        }
        new.extend(changes.entries.iter().map(|(short, entry)| (short.clone(), to_content(entry))));
        self.add("connectors", own, new)
    }

    fn flows(&mut self, flows: &[(FlowId, Bindings)]) -> Result<(), EditError> {
        let own = find(self.root, "flows");
        let mut new = Items::new();
        for (flow, steps) in flows {
            let values = steps.iter().map(|(step, name)| (*step, Content::from_name(name.as_deref())));
            let Some(entry) = own.and_then(|(_, own)| find(own, flow.as_str())) else {
                let values = values.map(|(step, value)| (step.name().to_owned(), value)).collect();
                new.push((flow.to_string(), Content::Mapping(values)));
                continue;
            };
            let in_block = own.is_some_and(|(_, own)| {
                self.editor.style(own) == Style::Block && !self.editor.has_inline_entries(own)
            });
            self.bindings(entry, in_block, values.collect())?;
        }
        self.add("flows", own, new)
    }

    /// Sets bindings of a flow that the file lists.
    fn bindings(
        &mut self,
        flow: &'s (Node<'s>, Node<'s>),
        in_block: bool,
        values: Vec<(Step, Content)>,
    ) -> Result<(), EditError> {
        let (key, node) = flow;
        if self.editor.style(node) == Style::Alias {
            let mut content = Content::from_node(self.text, node)?;
            for (step, value) in values {
                let binding =
                    find(node, step.name()).map(|(_, binding)| Content::from_node(self.text, binding));
                let value = match binding.transpose()? {
                    Some(binding @ Content::Mapping(_)) => binding.with("", "connector", value),
                    _ => value,
                };
                content = content.with("", step.name(), value);
            }
            return self.editor.replace(flow, &content);
        }
        let mut new = Items::new();
        for (step, value) in values {
            match find(node, step.name()) {
                Some(entry @ (_, Node { value: Value::Mapping(_), .. })) => {
                    self.set(entry, "connector", "connector", value)?;
                }
                Some(entry) => self.editor.replace(entry, &value)?,
                None => new.push((step.name().to_owned(), value)),
            }
        }
        self.editor.insert(Slot { key: Some(key), node, in_block }, &new, None)
    }

    /// Sets a key in the mapping of an entry. A scalar becomes a mapping in which `own` is the key of the scalar.
    fn set(
        &mut self,
        entry: &'s (Node<'s>, Node<'s>),
        own: &str,
        name: &str,
        value: Content,
    ) -> Result<(), EditError> {
        let (key, node) = entry;
        match self.editor.style(node) {
            Style::Block | Style::Flow => match find(node, name) {
                Some(field) => self.editor.replace(field, &value),
                None => {
                    let slot = Slot { key: Some(key), node, in_block: false };
                    self.editor.insert(slot, &[(name.to_owned(), value)], None)
                }
            },
            Style::Alias | Style::Scalar => {
                let content = Content::from_node(self.text, node)?.with(own, name, value);
                self.editor.replace(entry, &content)
            }
        }
    }

    /// Adds entries to a mapping at the top level, or the mapping itself if the file does not have it.
    fn add(
        &mut self,
        name: &str,
        own: Option<&'s (Node<'s>, Node<'s>)>,
        items: Items,
    ) -> Result<(), EditError> {
        match own {
            _ if items.is_empty() => {}
            Some((key, node)) => {
                let slot = Slot { key: Some(key), node, in_block: self.in_block };
                self.editor.insert(slot, &items, None)?;
            }
            None => self.new.push((name.to_owned(), Content::Mapping(items))),
        }
        Ok(())
    }

    /// Adds the new keys before `flows`, behind the key above it, so that a comment stays above `flows`.
    fn top_level(&mut self) -> Result<(), EditError> {
        let is_flows =
            |(key, _): &(Node<'_>, Node<'_>)| matches!(&key.value, Value::String(key) if key == "flows");
        let above = entries(self.root).iter().position(is_flows).and_then(|flows| flows.checked_sub(1));
        let slot = Slot { key: None, node: self.root, in_block: false };
        self.editor.insert(slot, &std::mem::take(&mut self.new), above)
    }
}

fn to_content(ShortName { key, pin }: &ShortName) -> Content {
    let id = |id: &str| ("id".to_owned(), Content::Text(id.to_owned()));
    let name = |name: &String| ("displayName".to_owned(), Content::Text(name.clone()));
    let mut fields = match key {
        ConnectorKey::Id(key) => vec![id(key.as_str())],
        ConnectorKey::Name(key) => vec![name(key)],
        ConnectorKey::IdAndName(key, display_name) => vec![name(display_name), id(key.as_str())],
    };
    fields.extend(pin.as_ref().map(|pin| ("targetUrl".to_owned(), Content::Text(pin.to_string()))));
    Content::Mapping(fields)
}

/// Returns whether a file has a YAML alias.
pub(super) fn has_alias(document: &Document) -> bool {
    fn search(editor: &Editor<'_>, node: &Node<'_>) -> bool {
        editor.style(node) == Style::Alias
            || match &node.value {
                Value::Sequence(items) => items.iter().any(|item| search(editor, item)),
                Value::Mapping(entries) => {
                    entries.iter().any(|(key, value)| search(editor, key) || search(editor, value))
                }
                _ => false,
            }
    }
    document.tree().is_some_and(|root| search(&Editor::new(document.text(), &root), &root))
}
