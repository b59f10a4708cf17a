//! Lists a composed file: each value with its source location.

use super::decoder::Spanned;
use super::schema::{Binding, ClientIdEntry, ConnectorEntry, File, Flow, GuardsEntry, HoldEntry};
use crate::model::{Listing, ListingLine, Literal};

/// Returns the keys and values of a composed file as lines, in the order of the format. Keys that are not
/// given are left out.
pub(super) fn to_listing(name: &str, file: &File) -> Listing {
    let File {
        span: _,
        invalid_keys: _,
        version,
        extends: _,
        tenant,
        client_id,
        cloud,
        api,
        steps,
        connectors,
        flows,
        prune,
        guards,
    } = file;
    let mut lines = Lines(Vec::new());
    lines.value(0, "version", version, |_| yaml(&1));
    lines.value(0, "tenant", tenant, |tenant| text(tenant.as_str()));
    lines.client_id(client_id);
    lines.value(0, "cloud", cloud, yaml);
    lines.value(0, "api", api, yaml);
    lines.value(0, "steps", steps, |steps| {
        let names: Vec<_> = steps.iter().map(|step| step.value.name()).collect();
        yaml(&format!("[{}]", names.join(", ")))
    });
    if let Some(connectors) = connectors {
        lines.mapping(0, "connectors", connectors, |lines, (name, entry)| lines.connector(name, entry));
    }
    if let Some(flows) = flows {
        lines.mapping(0, "flows", flows, |lines, Flow { id, bindings }| {
            lines.mapping(1, id.value.as_str(), bindings.iter(), |lines, (step, binding)| {
                lines.binding(step.name(), binding);
            });
        });
    }
    lines.value(0, "prune", prune, |prune| yaml(prune.name()));
    let GuardsEntry { max_changes, max_disables } = guards;
    if max_changes.is_some() || max_disables.is_some() {
        lines.key(0, "guards", None);
        lines.value(1, "maxChanges", max_changes, yaml);
        lines.value(1, "maxDisables", max_disables, yaml);
    }
    Listing { file: name.to_owned(), lines: lines.0 }
}

struct Lines(Vec<ListingLine>);

impl Lines {
    fn client_id(&mut self, client_id: &Option<Spanned<ClientIdEntry>>) {
        match client_id {
            Some(Spanned { value: ClientIdEntry::Split { plan, apply }, span: _ }) => {
                self.key(0, "clientId", None);
                for (key, id) in [("plan", plan), ("apply", apply)] {
                    self.value(1, key, &Some(id.clone()), |id| text(id));
                }
            }
            Some(Spanned { value: ClientIdEntry::Single(id), span }) => {
                self.value(0, "clientId", &Some(Spanned { value: id, span: span.clone() }), |id| text(id));
            }
            None => {}
        }
    }

    fn connector(&mut self, name: &str, entry: &ConnectorEntry) {
        let ConnectorEntry { key: _, display_name, id, target_url, is_invalid: _ } = entry;
        self.key(1, name, None);
        self.value(2, "displayName", display_name, |name| text(name));
        self.value(2, "id", id, |id| text(id.as_str()));
        self.value(2, "targetUrl", target_url, |url| text(&url.to_string()));
    }

    fn binding(&mut self, step: &str, binding: &Binding) {
        let Binding { step: _, connector, protect, hold, is_invalid: _ } = binding;
        let value = |name: &Option<String>| name.as_ref().map_or_else(|| yaml("null"), |name| text(name));
        if protect.is_none() && hold.is_none() {
            return self.value(2, step, connector, value);
        }
        self.key(2, step, None);
        self.value(3, "connector", connector, value);
        self.value(3, "protect", protect, yaml);
        match hold {
            Some(Spanned { value: Some(HoldEntry { bind, until, reason }), span: _ }) => {
                self.key(3, "hold", None);
                self.value(4, "bind", bind, value);
                self.value(4, "until", &Some(until.clone()), yaml);
                self.value(4, "reason", &Some(reason.clone()), |reason| text(reason));
            }
            Some(Spanned { value: None, span }) => {
                self.value(3, "hold", &Some(Spanned { value: "null", span: span.clone() }), |null| {
                    yaml(*null)
                });
            }
            None => {}
        }
    }

    /// Adds a key, and below it what `entry` adds for each of `entries`. Without entries, the value of the
    /// key is `{}`.
    fn mapping<T>(
        &mut self,
        depth: usize,
        key: &str,
        entries: impl IntoIterator<Item = T>,
        mut entry: impl FnMut(&mut Self, T),
    ) {
        let mut entries = entries.into_iter().peekable();
        let empty = entries.peek().is_none().then(|| yaml("{}"));
        self.key(depth, key, empty);
        entries.for_each(|it| entry(self, it));
    }

    fn key(&mut self, depth: usize, key: &str, value: Option<Literal>) {
        self.0.push(ListingLine { depth, key: key.to_owned(), value, span: None });
    }

    /// Adds a key with its value and location; nothing if the value is `None`.
    fn value<T>(
        &mut self,
        depth: usize,
        key: &str,
        value: &Option<Spanned<T>>,
        literal: impl FnOnce(&T) -> Literal,
    ) {
        let Some(Spanned { value, span }) = value else { return };
        let (value, span) = (Some(literal(value)), Some(span.clone()));
        self.0.push(ListingLine { depth, key: key.to_owned(), value, span });
    }
}

fn text(value: &str) -> Literal {
    Literal::Text(value.to_owned())
}

fn yaml<T: ToString + ?Sized>(value: &T) -> Literal {
    Literal::Yaml(value.to_string())
}
