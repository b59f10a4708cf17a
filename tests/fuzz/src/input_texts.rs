//! Names and messages from the bytes of an input: the texts between its unit separators (U+001F),
//! starting over when all are used.

use flowbind::model::{Connector, ConnectorId, FlowId};

/// Endless sequence of the texts of an input.
pub(crate) struct InputTexts<'a> {
    texts: Vec<&'a str>,
    next: usize,
}

impl<'a> InputTexts<'a> {
    /// Splits an input, `None` if it is not UTF-8.
    pub(crate) fn from_bytes(data: &'a [u8]) -> Option<Self> {
        let texts: Vec<_> = str::from_utf8(data).ok()?.split('\u{1f}').collect();
        Some(Self { texts, next: 0 })
    }

    /// Returns the number of texts before they repeat.
    pub(crate) fn count(&self) -> usize {
        self.texts.len()
    }

    pub(crate) fn next_text(&mut self) -> &'a str {
        let text = self.texts[self.next % self.texts.len()];
        self.next += 1;
        text
    }

    pub(crate) fn next_string(&mut self) -> String {
        self.next_text().to_owned()
    }

    /// Returns the next text, `None` if it is empty.
    pub(crate) fn next_option(&mut self) -> Option<String> {
        Some(self.next_string()).filter(|text| !text.is_empty())
    }

    /// Returns the length of the next text.
    pub(crate) fn next_number(&mut self) -> usize {
        self.next_text().len()
    }

    /// Returns a flow id that ends in the next text if that is valid.
    pub(crate) fn next_flow(&mut self) -> FlowId {
        let text = self.next_text();
        FlowId::parse(&format!("B2C_1_{text}"))
            .or_else(|_| FlowId::parse(&format!("B2C_1_{}", text.len())))
            .expect("a prefix and a number are an id")
    }

    /// Returns a connector with the next texts as id, if that is valid, and display name.
    pub(crate) fn next_connector(&mut self) -> Connector {
        let text = self.next_text();
        let id = ConnectorId::parse(text).or_else(|_| ConnectorId::parse(&format!("c{}", text.len())));
        Connector { id: id.expect("a letter and a number are an id"), display_name: self.next_option() }
    }
}
