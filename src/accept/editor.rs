//! Edits a YAML text at the locations of its values. All other bytes stay as they are.

use std::ops::Range;

use super::content::{Content, Quotes, block_entry, inline_entry, quote_of};
use super::edit::EditError;
use crate::desired::{Node, Value};

/// Spaces by which new mappings are indented if the file has none.
const INDENT: usize = 2;

/// Editor of one text.
pub(super) struct Editor<'s> {
    text: &'s str,
    /// Spaces by which the file indents the entries of its keys.
    step: usize,
    replacements: Vec<(Range<usize>, String)>,
}

/// Mapping or list, and the entry that it is the value of.
#[derive(Clone, Copy)]
pub(super) struct Slot<'n> {
    /// Key of the entry; `None` for the file.
    pub(super) key: Option<&'n Node<'n>>,
    pub(super) node: &'n Node<'n>,
    /// Whether the entry is in a block mapping, so that an empty `{}` can become one.
    pub(super) in_block: bool,
}

/// How a node is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Alias,
    Block,
    Flow,
    Scalar,
}

type Entries<'n> = [(Node<'n>, Node<'n>)];

/// Returns the entries of a mapping; none for another value.
pub(super) fn entries<'n>(node: &'n Node<'n>) -> &'n Entries<'n> {
    match &node.value {
        Value::Mapping(entries) => entries,
        _ => &[],
    }
}

/// Returns the entry of a mapping with this key.
pub(super) fn find<'n>(node: &'n Node<'n>, name: &str) -> Option<&'n (Node<'n>, Node<'n>)> {
    entries(node).iter().find(|(key, _)| matches!(&key.value, Value::String(key) if key == name))
}

impl<'s> Editor<'s> {
    pub(super) fn new(text: &'s str, root: &Node<'_>) -> Self {
        let mut editor = Self { text, step: INDENT, replacements: Vec::new() };
        editor.step = editor.indent_step(entries(root)).unwrap_or(INDENT);
        editor
    }

    /// Returns the text with all edits.
    pub(super) fn finish(mut self) -> Result<String, EditError> {
        // Stable, so that insertions at one location keep their order.
        self.replacements.sort_by_key(|(range, _)| range.start);
        let (mut text, mut at) = (String::with_capacity(self.text.len()), 0);
        for (range, replacement) in &self.replacements {
            text.push_str(self.text.get(at..range.start).ok_or(EditError::Layout)?);
            text.push_str(replacement);
            at = range.end;
        }
        text.push_str(self.text.get(at..).ok_or(EditError::Layout)?);
        Ok(text)
    }

    pub(super) fn style(&self, node: &Node<'_>) -> Style {
        let literal = self.literal(node);
        match &node.value {
            _ if literal.starts_with('*') => Style::Alias,
            Value::Mapping(_) | Value::Sequence(_) if literal.is_empty() => Style::Block,
            Value::Mapping(_) | Value::Sequence(_) => Style::Flow,
            _ => Style::Scalar,
        }
    }

    /// Replaces the value of an entry, which must be a scalar or an alias. Quotes and an anchor stay.
    pub(super) fn replace(
        &mut self,
        (key, value): &(Node<'_>, Node<'_>),
        new: &Content,
    ) -> Result<(), EditError> {
        let keys = quote_of(self.literal(key));
        let texts = quote_of(self.literal(value)).or(keys.filter(|quote| *quote == '"'));
        let mut new = new.inline(Quotes { keys, texts });
        let start = self.skip_space(self.colon(key)?.saturating_add(1));
        let before = self.text.get(start..value.range.start).ok_or(EditError::Layout)?;
        let properties = before.split('#').next().unwrap_or_default();
        if properties.split_whitespace().all(|word| word.starts_with('&')) {
            self.replacements.push((value.range.clone(), new));
            return Ok(());
        }
        // A tag or the header of a block scalar is replaced as well, except for the comment behind it.
        let line = before.lines().next().unwrap_or_default();
        if line.contains('#') {
            new.push_str(line.get(properties.trim_end().len()..).unwrap_or_default());
        }
        self.replacements.push((start..self.end(value)?, new));
        Ok(())
    }

    /// Returns whether the last mapping in a mapping is in braces.
    pub(super) fn has_inline_entries(&self, node: &Node<'_>) -> bool {
        let mut mappings = entries(node).iter().rev().map(|(_, value)| value);
        let last = mappings.find(|node| !entries(node).is_empty());
        last.is_some_and(|node| self.style(node) == Style::Flow)
    }

    /// Adds entries to a mapping: behind the entry with the index `after`, or at the end.
    pub(super) fn insert(
        &mut self,
        slot: Slot<'_>,
        items: &[(String, Content)],
        after: Option<usize>,
    ) -> Result<(), EditError> {
        let all = entries(slot.node);
        let entry = after.and_then(|at| all.get(at)).or(all.last());
        match (self.style(slot.node), entry) {
            _ if items.is_empty() => Ok(()),
            (Style::Block, Some(entry)) => self.insert_lines(slot, entry, items),
            (Style::Flow, Some((key, value))) => {
                let keys = quote_of(self.literal(key));
                // Text in the style of JSON stays JSON.
                let texts = quote_of(self.literal(value)).or(keys.filter(|quote| *quote == '"'));
                let item =
                    |(key, value): &(String, Content)| inline_entry(key, value, Quotes { keys, texts });
                self.insert_inline(key, value, items.iter().map(item).collect())
            }
            (Style::Flow, None) => self.fill(slot, items),
            (Style::Alias, _) => Err(EditError::Alias(slot.key.map(key_name).unwrap_or_default())),
            _ => Err(EditError::Layout),
        }
    }

    /// Adds items to a list that is not empty.
    pub(super) fn append(&mut self, list: &Node<'_>, items: &[&str]) -> Result<(), EditError> {
        let Value::Sequence(given) = &list.value else { return Err(EditError::Layout) };
        let last = given.last().ok_or(EditError::Layout)?;
        let quote = quote_of(self.literal(last));
        let items = items.iter().map(|item| super::content::quoted(item, quote));
        if self.style(list) == Style::Flow {
            return self.insert_inline(last, last, items.collect());
        }
        let line = self.line_start(last.range.start);
        let dash = self.text.get(line..last.range.start).ok_or(EditError::Layout)?;
        if dash.trim() != "-" {
            return Err(EditError::Layout);
        }
        let indent = dash.len().saturating_sub(dash.trim_start().len());
        let at = self.after_comments(self.line_end(self.end(last)?), indent);
        let newline = self.newline(at);
        let lines = items.map(|item| format!("{newline}{dash}{item}")).collect();
        self.replacements.push((at..at, lines));
        Ok(())
    }

    fn insert_lines(
        &mut self,
        slot: Slot<'_>,
        (key, value): &(Node<'_>, Node<'_>),
        items: &[(String, Content)],
    ) -> Result<(), EditError> {
        let indent = self.indent(key);
        let step = self.indent_step(entries(slot.node)).unwrap_or(self.step);
        // At the top level, every mapping begins a new line.
        let inline = slot.key.is_some() && self.has_inline_entries(slot.node);
        let at = self.after_comments(self.line_end(self.end(value)?), indent);
        let quotes = Quotes { keys: quote_of(self.literal(key)), texts: quote_of(self.literal(value)) };
        let newline = self.newline(at);
        let mut lines = String::new();
        for (key, value) in items {
            lines.push_str(newline);
            if inline {
                lines.push_str(&format!("{:indent$}{}", "", inline_entry(key, value, quotes)));
            } else {
                lines.push_str(&block_entry((key, value), (indent, step), newline, quotes));
            }
        }
        self.replacements.push((at..at, lines));
        Ok(())
    }

    /// Adds items of a mapping or list in braces behind a value; if its entry has a line of its own, in lines.
    fn insert_inline(
        &mut self,
        key: &Node<'_>,
        value: &Node<'_>,
        items: Vec<String>,
    ) -> Result<(), EditError> {
        let end = self.end(value)?;
        let line = self.line_start(key.range.start);
        let before = self.text.get(line..key.range.start).ok_or(EditError::Layout)?;
        if !before.trim().is_empty() || line == 0 {
            self.replacements.push((end..end, items.iter().map(|item| format!(", {item}")).collect()));
            return Ok(());
        }
        let has_comma = self.rest(self.skip_space(end)).starts_with(',');
        if !has_comma {
            self.replacements.push((end..end, ",".to_owned()));
        }
        let at = self.line_end(end);
        let newline = self.newline(at);
        let separator = format!(",{newline}{before}");
        let last = if has_comma { "," } else { "" };
        self.replacements.push((at..at, format!("{newline}{before}{}{last}", items.join(&separator))));
        Ok(())
    }

    /// Adds entries to `{}`, which becomes a block mapping if that is possible.
    fn fill(&mut self, slot: Slot<'_>, items: &[(String, Content)]) -> Result<(), EditError> {
        let start = slot.node.range.start;
        let end = self.end(slot.node)?;
        let keys = slot.key.and_then(|key| quote_of(self.literal(key)));
        if let Some(key) = slot.key.filter(|_| slot.in_block) {
            let colon = self.colon(key)?.saturating_add(1);
            let at = self.line_end(end);
            let between = self.text.get(colon..start).unwrap_or_default();
            let behind = self.text.get(end..at).unwrap_or_default().trim_start();
            let is_own_line = self.text.get(start..end).is_some_and(|text| !text.contains(['\n', '\r', '#']));
            if between.bytes().all(|byte| byte == b' ')
                && is_own_line
                && (behind.is_empty() || behind.starts_with('#'))
            {
                let newline = self.newline(at);
                let indent = self.indent(key).saturating_add(self.step);
                let quotes = Quotes::default();
                let lines = items.iter().map(|(key, value)| {
                    format!("{newline}{}", block_entry((key, value), (indent, self.step), newline, quotes))
                });
                let lines = lines.collect();
                self.replacements.push((colon..end, String::new()));
                self.replacements.push((at..at, lines));
                return Ok(());
            }
        }
        let quotes = Quotes { keys, texts: keys.filter(|quote| *quote == '"') };
        let items: Vec<_> = items.iter().map(|(key, value)| inline_entry(key, value, quotes)).collect();
        let at = start.saturating_add(1);
        self.replacements.push((at..at, items.join(", ")));
        Ok(())
    }

    fn literal(&self, node: &Node<'_>) -> &'s str {
        self.text.get(node.range.clone()).unwrap_or_default()
    }

    fn rest(&self, at: usize) -> &'s str {
        self.text.get(at..).unwrap_or_default()
    }

    /// Returns the end of a value, behind its closing bracket.
    fn end(&self, node: &Node<'_>) -> Result<usize, EditError> {
        let last = match &node.value {
            Value::Mapping(entries) => entries.last().map(|(_, value)| value),
            Value::Sequence(items) => items.last(),
            _ => None,
        };
        let behind = match last {
            Some(last) if self.style(node) != Style::Alias => self.end(last)?,
            _ => node.range.end,
        };
        match self.style(node) {
            Style::Flow => {
                let mut at = self.skip_space(behind);
                if self.rest(at).starts_with(',') {
                    at = self.skip_space(at.saturating_add(1));
                }
                self.rest(at).starts_with(['}', ']']).then(|| at.saturating_add(1)).ok_or(EditError::Layout)
            }
            Style::Block | Style::Alias => Ok(behind),
            // The range of a block scalar ends behind the indentation of the next line.
            Style::Scalar => {
                let text = self.text.get(node.range.start..behind).unwrap_or_default();
                Ok(node.range.start.saturating_add(text.trim_end_matches([' ', '\n', '\r']).len()))
            }
        }
    }

    /// Returns the location of the colon of a key.
    fn colon(&self, key: &Node<'_>) -> Result<usize, EditError> {
        let at = self.skip_space(key.range.end);
        self.rest(at).starts_with(':').then_some(at).ok_or(EditError::Layout)
    }

    /// Skips white space, line breaks and comments.
    fn skip_space(&self, mut at: usize) -> usize {
        loop {
            let rest = self.rest(at);
            let text = rest.trim_start_matches([' ', '\t', '\n', '\r']);
            at = at.saturating_add(rest.len().saturating_sub(text.len()));
            if !text.starts_with('#') {
                return at;
            }
            at = self.line_end(at);
        }
    }

    fn line_start(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or_default();
        before.rfind(['\n', '\r']).map_or(0, |at| at.saturating_add(1))
    }

    fn line_end(&self, at: usize) -> usize {
        let rest = self.rest(at);
        at.saturating_add(rest.find(['\n', '\r']).unwrap_or(rest.len()))
    }

    /// Returns the line break at the end of a line; for the last line, that of the line before.
    fn newline(&self, line_end: usize) -> &'s str {
        let rest = self.rest(line_end);
        let newline = ["\r\n", "\n", "\r"].into_iter().find(|newline| rest.starts_with(newline));
        newline.unwrap_or_else(|| {
            let start = self.line_start(line_end);
            let before = self.text.get(..start).unwrap_or_default();
            ["\r\n", "\n", "\r"].into_iter().find(|newline| before.ends_with(newline)).unwrap_or("\n")
        })
    }

    /// Returns the end of the comment lines that follow a line and are indented by at least `indent` spaces, so
    /// that they belong to it.
    fn after_comments(&self, mut line_end: usize, indent: usize) -> usize {
        loop {
            let start = match self.rest(line_end) {
                "" => return line_end,
                _ => line_end.saturating_add(self.newline(line_end).len()),
            };
            let line = self.text.get(start..self.line_end(start)).unwrap_or_default();
            let spaces = line.len().saturating_sub(line.trim_start_matches(' ').len());
            if spaces < indent.max(1) || !line.trim_start_matches(' ').starts_with('#') {
                return line_end;
            }
            line_end = self.line_end(start);
        }
    }

    /// Returns the number of spaces with which the line of a key begins.
    fn indent(&self, key: &Node<'_>) -> usize {
        let line = self.rest(self.line_start(key.range.start));
        line.len().saturating_sub(line.trim_start_matches(' ').len())
    }

    /// Returns by how much the first block mapping in these entries is indented.
    fn indent_step(&self, entries: &Entries<'_>) -> Option<usize> {
        entries.iter().find_map(|(key, value)| {
            let (first, _) = self::entries(value).first().filter(|_| self.style(value) == Style::Block)?;
            self.indent(first).checked_sub(self.indent(key)).filter(|step| *step > 0)
        })
    }
}

fn key_name(key: &Node<'_>) -> String {
    match &key.value {
        Value::String(name) => name.clone().into_owned(),
        _ => String::new(),
    }
}
