//! Accepting the values of a tenant in desired-state files, for random files, bases, layouts and edits.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use flowbind::accept::{Edit, EditError, accept, replace_text};
use flowbind::desired::{self, Document};
use flowbind::model::{Connector, ConnectorId, ConnectorKey, Desired, FlowId, ListedConnector, Step};
use jiff::Timestamp;
use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;
use similar::{ChangeTag, TextDiff};
use strum::VariantArray as _;

use crate::support::{folder, package};

/// Creates a folder that counts as a repository, so that its files can be bases.
fn repository() -> tempfile::TempDir {
    let folder = folder();
    fs::create_dir(folder.path().join(".git")).unwrap();
    folder
}

/// Number of connectors. Connectors 4 and 5 share a name, and 3 has no address.
const CONNECTORS: u8 = 6;

fn id(number: u8) -> String {
    format!("00000000-0000-4000-8000-00000000000{number}")
}

fn display_name(number: u8) -> String {
    format!("Connector {}", number.min(4))
}

fn url(number: u8) -> String {
    format!("https://c{number}.contoso.com/")
}

fn listed(number: u8) -> ListedConnector {
    let connector =
        Connector { id: ConnectorId::parse(&id(number)).unwrap(), display_name: Some(display_name(number)) };
    ListedConnector {
        connector,
        target_url: (number != 3).then(|| url(number).parse().unwrap()),
        certificates: Vec::new(),
    }
}

fn flow_id(number: u8) -> String {
    format!("B2C_1_flow{number}")
}

/// File that has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Own,
    Base,
    Both,
}

impl Owner {
    fn is_in(self, is_base: bool) -> bool {
        self == Self::Both || (self == Self::Base) == is_base
    }
}

fn owner() -> impl Strategy<Value = Owner> {
    prop_oneof![3 => Just(Owner::Own), 1 => Just(Owner::Base), 1 => Just(Owner::Both)]
}

#[derive(Debug, Clone)]
struct Binding {
    connector: Option<u8>,
    /// Spelling: plain, in either quotes, or a mapping in braces or in lines.
    form: u8,
    owner: Owner,
}

#[derive(Debug, Clone)]
struct Flow {
    is_inline: bool,
    owner: Owner,
    bindings: BTreeMap<u8, Binding>,
}

#[derive(Debug, Clone)]
struct Entry {
    /// Spelling: a text if there is no pin, or a mapping in braces or in lines.
    form: u8,
    /// Whether the connector is pinned, and whether the pin holds.
    pin: Option<bool>,
    owner: Owner,
}

/// Values and layout of a file and its base.
#[derive(Debug, Clone)]
struct File {
    flows: BTreeMap<u8, Flow>,
    connectors: Option<BTreeMap<u8, Entry>>,
    /// Whether `steps` is in lines, and whether it has the third step.
    steps: Option<(bool, bool)>,
    prunes: bool,
    has_alias: bool,
    indent: usize,
    newline: &'static str,
    ends_with_newline: bool,
    comments: bool,
    is_inline: bool,
}

fn files() -> impl Strategy<Value = File> {
    let binding = (prop::option::of(0..CONNECTORS), 0..5u8, owner());
    let binding = binding.prop_map(|(connector, form, owner)| Binding { connector, form, owner });
    let flow = (any::<bool>(), owner(), btree_map(0..3u8, binding, 0..4));
    let flow = flow.prop_map(|(is_inline, owner, bindings)| Flow { is_inline, owner, bindings });
    let entry = (0..3u8, prop::option::of(any::<bool>()), owner());
    let entry = entry.prop_map(|(form, pin, owner)| Entry { form, pin, owner });
    let values = (
        btree_map(0..6u8, flow, 0..5),
        prop::option::of(btree_map(0..CONNECTORS, entry, 0..5)),
        prop::option::of(any::<(bool, bool)>()),
        any::<(bool, bool)>(),
    );
    let newline = prop_oneof![Just("\n"), Just("\r\n")];
    let layout = (prop_oneof![Just(2usize), Just(4), Just(1)], newline, any::<(bool, bool, bool)>());
    (values, layout).prop_map(|(values, (indent, newline, (ends_with_newline, comments, is_inline)))| {
        let (flows, connectors, steps, (prunes, has_alias)) = values;
        File {
            flows,
            connectors,
            steps,
            prunes,
            has_alias: has_alias && !is_inline,
            indent,
            newline,
            ends_with_newline,
            comments,
            is_inline,
        }
    })
}

impl File {
    /// Returns the text of the file, or of its base. Behind each value, a comment has its name.
    fn yaml(&self, is_base: bool) -> String {
        let mut lines = vec!["version: 1".to_owned()];
        if !is_base {
            lines.push("extends: base.yaml".to_owned());
            lines.push("tenant: contoso.onmicrosoft.com # tenant".to_owned());
            if self.prunes {
                lines.push("prune: flows".to_owned());
            }
        }
        self.push_steps(&mut lines, is_base);
        self.push_connectors(&mut lines, is_base);
        self.push_flows(&mut lines, is_base);
        if self.comments {
            lines.push("# guards".to_owned());
        }
        lines.push("guards: {maxChanges: 9}".to_owned());
        let text = lines.join(self.newline);
        if self.ends_with_newline { text + self.newline } else { text }
    }

    fn push_steps(&self, lines: &mut Vec<String>, is_base: bool) {
        let Some((in_lines, all)) = self.steps.filter(|_| is_base == self.prunes) else { return };
        let steps = &Step::VARIANTS[..if all { 3 } else { 2 }];
        if in_lines {
            lines.push("steps: # steps".to_owned());
            lines.extend(steps.iter().map(|step| format!("{}- {step} # {step}", " ".repeat(self.indent))));
        } else {
            let steps: Vec<_> = steps.iter().map(|step| step.name()).collect();
            lines.push(format!("steps: [{}] # steps", steps.join(", ")));
        }
    }

    fn push_connectors(&self, lines: &mut Vec<String>, is_base: bool) {
        let indent = self.indent;
        let entries: Vec<_> =
            self.connectors.iter().flatten().filter(|(_, entry)| entry.owner.is_in(is_base)).collect();
        if entries.is_empty() {
            if self.connectors.as_ref().is_some_and(BTreeMap::is_empty) {
                lines.push("connectors: {} # connectors".to_owned());
            }
            return;
        }
        lines.push("connectors:".to_owned());
        for (number, entry) in entries {
            let key = format!("{:indent$}c{number}:", "");
            let (name, value) = if *number < 4 {
                ("displayName", format!("'{}'", display_name(*number)))
            } else {
                ("id", id(*number))
            };
            let pin = entry.pin.map(|holds| if holds { url(*number) } else { "https://old.com/".to_owned() });
            // A pin in the base stays there.
            let pin = pin.filter(|_| entry.owner != Owner::Both || is_base);
            match (entry.form, pin) {
                (0, None) if *number < 4 => lines.push(format!("{key} {value} # pin:{number}")),
                (0 | 1, pin) => {
                    let pin = pin.map(|pin| format!(", targetUrl: \"{pin}\"")).unwrap_or_default();
                    lines.push(format!("{key} {{{name}: {value}{pin}}} # pin:{number}"));
                }
                (_, pin) => {
                    lines.push(key);
                    let inner = " ".repeat(indent * 2);
                    lines.push(format!("{inner}{name}: {value} # name:{number}"));
                    lines.extend(pin.map(|pin| format!("{inner}targetUrl: {pin} # pin:{number}")));
                }
            }
        }
    }

    fn push_flows(&self, lines: &mut Vec<String>, is_base: bool) {
        let indent = self.indent;
        let flows: Vec<_> = self.flows.iter().filter(|(_, flow)| flow.owner.is_in(is_base)).collect();
        if flows.is_empty() {
            return lines.push("flows: {} # flows".to_owned());
        }
        if self.is_inline {
            let flows: Vec<_> = flows
                .iter()
                .map(|(number, flow)| format!("{}: {{{}}}", flow_id(**number), self.inline(flow, is_base)))
                .collect();
            return lines.push(format!("flows: {{{}}} # flows", flows.join(", ")));
        }
        lines.push("flows:".to_owned());
        let mut anchor = if self.has_alias && !is_base { " &flow" } else { "" };
        for (number, flow) in flows {
            if self.comments {
                lines.push(format!("{:indent$}# above flow {number}", ""));
            }
            let key = format!("{:indent$}{}:", "", flow_id(*number));
            let bindings = self.bindings(flow, is_base);
            if flow.is_inline || bindings.is_empty() {
                lines.push(format!("{key}{anchor} {{{}}} # {number}", self.inline(flow, is_base)));
            } else {
                lines.push(format!("{key}{anchor}"));
                for (step, binding) in bindings {
                    self.push_binding(lines, *number, step, binding);
                }
            }
            anchor = "";
        }
        if self.has_alias && !is_base {
            lines.push(format!("{:indent$}B2C_1_flow9: *flow # 9", ""));
        }
    }

    /// Returns the bindings of a flow in one of the files.
    fn bindings<'a>(&self, flow: &'a Flow, is_base: bool) -> Vec<(Step, &'a Binding)> {
        let managed = if self.steps.is_some_and(|(_, all)| all) { 3 } else { 2 };
        // A flow in one file has all its bindings there.
        let is_here = |binding: &&Binding| flow.owner != Owner::Both || binding.owner.is_in(is_base);
        let bindings = flow.bindings.iter().filter(|(step, binding)| **step < managed && is_here(binding));
        bindings.map(|(step, binding)| (Step::VARIANTS[usize::from(*step)], binding)).collect()
    }

    fn inline(&self, flow: &Flow, is_base: bool) -> String {
        let bindings = self.bindings(flow, is_base).into_iter();
        let bindings: Vec<_> =
            bindings.map(|(step, binding)| format!("{step}: {}", self.value(binding))).collect();
        bindings.join(", ")
    }

    fn push_binding(&self, lines: &mut Vec<String>, flow: u8, step: Step, binding: &Binding) {
        let (outer, inner) = (" ".repeat(self.indent * 2), " ".repeat(self.indent * 3));
        if binding.form == 4 {
            lines.push(format!("{outer}{step}:"));
            if self.comments {
                lines.push(format!("{inner}# in {flow}/{step}"));
            }
            lines.push(format!("{inner}connector: {}   # {flow}/{step}", self.name(binding)));
            lines.push(format!("{inner}protect: true"));
        } else {
            lines.push(format!("{outer}{step}: {} # {flow}/{step}", self.value(binding)));
        }
    }

    fn value(&self, binding: &Binding) -> String {
        let name = self.name(binding);
        match binding.form {
            1 if binding.connector.is_some() => format!("'{name}'"),
            2 if binding.connector.is_some() => format!("\"{name}\""),
            3 | 4 => format!("{{connector: {name}, protect: true}}"),
            _ => name,
        }
    }

    fn name(&self, binding: &Binding) -> String {
        match binding.connector {
            None => "null".to_owned(),
            Some(number) if self.connectors.as_ref().is_some_and(|it| it.contains_key(&number)) => {
                format!("c{number}")
            }
            Some(number) if self.connectors.is_none() && number < 4 => display_name(number),
            Some(number) => id(number),
        }
    }
}

/// Bindings and pinned connectors that are accepted.
type Edits = (BTreeMap<(u8, u8), Option<u8>>, BTreeSet<u8>);

fn edits() -> impl Strategy<Value = Edits> {
    let bindings = btree_map((0..8u8, 0..3u8), prop::option::of(0..CONNECTORS), 0..10);
    (bindings, btree_set(0..CONNECTORS, 0..3))
}

fn to_edits((bindings, pins): &Edits) -> Vec<Edit> {
    let bindings = bindings.iter().map(|((flow, step), connector)| Edit::Binding {
        flow: FlowId::parse(&flow_id(*flow)).unwrap(),
        step: Step::VARIANTS[usize::from(*step)],
        connector: connector.map(|number| listed(number).connector),
    });
    bindings.chain(pins.iter().map(|number| Edit::Pin { connector: listed(*number).connector })).collect()
}

/// Returns connector and `protect` of each binding.
fn values(desired: &Desired) -> BTreeMap<(String, &'static str), (Option<String>, bool)> {
    let resolve = |key: &ConnectorKey| match key {
        ConnectorKey::Id(id) | ConnectorKey::IdAndName(id, _) => id.to_string(),
        ConnectorKey::Name(name) => id(name.strip_prefix("Connector ").unwrap().parse().unwrap()),
    };
    let flows = desired.flows.iter();
    flows
        .flat_map(|flow| {
            flow.bindings.iter().map(move |(step, binding)| (flow.id.to_string(), step, binding))
        })
        .map(|(flow, step, binding)| {
            let connector = binding.connector.as_ref().map(|connector| resolve(&connector.key));
            ((flow, step.name()), (connector, binding.protect.is_some()))
        })
        .collect()
}

fn load(file: &File) -> (tempfile::TempDir, PathBuf, Document) {
    let folder = repository();
    let path = folder.path().join("d.yaml");
    fs::write(folder.path().join("base.yaml"), file.yaml(true)).unwrap();
    fs::write(&path, file.yaml(false)).unwrap();
    let mut documents = desired::load_documents(std::slice::from_ref(&path), Timestamp::UNIX_EPOCH).unwrap();
    (folder, path, documents.remove(0))
}

/// Returns the comments of a text, in order.
fn comments(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| Some(line.split_once('#')?.1)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn accept_changes_exactly_the_wanted_values_and_their_lines(file in files(), wanted in edits()) {
        let (_folder, path, document) = load(&file);
        let edits = to_edits(&wanted);
        let connectors: Vec<_> = (0..CONNECTORS).map(listed).collect();
        let accepted = accept(&document, &connectors, &edits);
        let (old, new) = (document.text(), &accepted.text);
        for (edit, reason) in &accepted.rejected {
            let is_expected = match reason {
                EditError::UnreadableAddress(short) => short == "c3",
                EditError::PrunedStep(step) => file.prunes && *step == Step::PreTokenIssuance,
                EditError::Anchor => file.has_alias,
                _ => false,
            };
            prop_assert!(is_expected, "{edit:?}: {reason}\n{old}");
        }
        fs::write(&path, new).unwrap();
        let after = desired::load_documents(std::slice::from_ref(&path), Timestamp::UNIX_EPOCH);
        prop_assert!(after.is_ok(), "{after:?}\n{old}\n{new}", after = after.err());
        let after = after.unwrap().remove(0);

        let is_rejected = |edit: &&Edit| accepted.rejected.iter().any(|(it, _)| it == *edit);
        let made: Vec<_> = edits.iter().filter(|edit| !is_rejected(edit)).cloned().collect();
        let mut expected = values(document.desired());
        for edit in &made {
            if let Edit::Binding { flow, step, connector } = edit {
                let value = expected.entry((flow.to_string(), step.name())).or_default();
                value.0 = connector.as_ref().map(|connector| connector.id.to_string());
            }
        }
        prop_assert_eq!(values(after.desired()), expected, "{}\n{}", old, new);
        for edit in &made {
            if let Edit::Pin { connector } = edit {
                let url = listed(connector.id.as_str()[35..].parse().unwrap()).target_url;
                let mut pins = after.desired().pins.for_connector(connector);
                prop_assert!(pins.all(|pin| url.as_ref() == Some(&*pin.url)), "{old}\n{new}");
            }
        }

        prop_assert_eq!(comments(new), comments(old), "{}\n{}", old, new);
        let is_line_of = |line: &str| {
            let tag = line.trim_end().rsplit_once("# ").map(|(_, tag)| tag).unwrap_or_default();
            let edited = wanted.0.keys().any(|(flow, step)| {
                let step = Step::VARIANTS[usize::from(*step)];
                tag == format!("{flow}/{step}") || tag == format!("{flow}") || ["flows", "steps"].contains(&tag)
            });
            let pinned = tag == "connectors" || tag.starts_with("pin:");
            // The last line may get a line break.
            edited || pinned || tag == "9" || line == old.lines().next_back().unwrap()
        };
        let diff = TextDiff::from_lines(old, new.as_str());
        for change in diff.iter_all_changes().filter(|change| change.tag() == ChangeTag::Delete) {
            prop_assert!(is_line_of(change.value()), "{}\n{old}\n{new}", change.value());
        }
        prop_assert_eq!(new.ends_with(file.newline), file.ends_with_newline);
        prop_assert_eq!(new.matches('\n').count(), new.matches(file.newline).count());

        let again = accept(&after, &connectors, &made);
        prop_assert_eq!(&again.text, new);
        prop_assert!(again.rejected.is_empty(), "{:?}", again.rejected);
    }
}

/// The files of the case folders have many layouts, and those of the corpus are hostile.
#[test]
fn accept_in_the_files_of_other_tests_makes_every_edit_or_finds_an_anchor() {
    let cases = fs::read_dir(package("tests/cases")).unwrap();
    let cases = cases.map(|folder| folder.unwrap().path().join("desired.yaml"));
    let corpus = fs::read_dir(package("tests/fuzz/corpus/desired")).unwrap();
    let paths = cases.chain(corpus.map(|file| file.unwrap().path()));
    let connectors: Vec<_> = (0..CONNECTORS).map(listed).collect();
    let (mut count, mut edited) = (0, 0);
    for path in paths {
        let Ok(documents) = desired::load_documents(std::slice::from_ref(&path), Timestamp::UNIX_EPOCH)
        else {
            continue;
        };
        let Some(document) = documents.first() else { continue };
        for connector in [None, Some(1), Some(4)] {
            let bindings = document.desired().flows.iter().flat_map(|flow| {
                document.desired().steps.iter().map(|step| Edit::Binding {
                    flow: flow.id.clone(),
                    step: *step,
                    connector: connector.map(|number| listed(number).connector),
                })
            });
            let edits: Vec<_> = bindings.take(40).collect();
            let accepted = accept(document, &connectors, &edits);
            let rejected = accepted.rejected.iter().all(|(_, reason)| *reason == EditError::Anchor);
            assert!(rejected, "{}: {:?}", path.display(), accepted.rejected);
            count += 1;
            edited += usize::from(accepted.rejected.len() < edits.len());
        }
    }
    assert!(count > 300 && edited > 200, "{count} {edited}");
}

#[test]
fn accept_for_a_base_of_another_file_is_rejected() {
    let folder = repository();
    let paths = ["a.yaml", "b.yaml"].map(|name| folder.path().join(name));
    fs::write(&paths[0], "version: 1\ntenant: a.onmicrosoft.com\nflows: {}\n").unwrap();
    fs::write(&paths[1], "version: 1\ntenant: b.onmicrosoft.com\nextends: a.yaml\n").unwrap();
    let documents = desired::load_documents(&paths, Timestamp::UNIX_EPOCH).unwrap();
    let edits = to_edits(&(BTreeMap::from([((1, 0), None)]), BTreeSet::new()));
    let [base, extending] = [0, 1].map(|at| accept(&documents[at], &[], &edits));
    assert_eq!(base.text, documents[0].text());
    let reason = EditError::Extended(paths[1].to_str().unwrap().to_owned());
    assert_eq!(base.rejected, [(edits[0].clone(), reason)]);
    assert!(extending.rejected.is_empty() && extending.text.contains("B2C_1_flow1"), "{extending:?}");
}

#[test]
fn replace_text_keeps_a_byte_order_mark_and_rejects_a_changed_file() {
    assert_eq!(replace_text(b"old", "old", "new").unwrap(), b"new");
    assert_eq!(replace_text(b"\xef\xbb\xbfold", "old", "new").unwrap(), b"\xef\xbb\xbfnew");
    assert_eq!(replace_text(b"older", "old", "new"), None);
    assert_eq!(replace_text(b"x old", "old", "new"), None);
}
