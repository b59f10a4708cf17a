//! Names and messages out of the bytes of an input: the texts between its unit separators (U+001F),
//! and of those again from the first on when they are used up.

use flowbind::model::{Connector, ConnectorId, FlowId};

/// The texts of an input, without end.
pub(crate) struct Pieces<'a> {
    texts: Vec<&'a str>,
    next: usize,
}

impl<'a> Pieces<'a> {
    /// `None` where the bytes are no text.
    pub(crate) fn of(data: &'a [u8]) -> Option<Self> {
        let texts: Vec<_> = str::from_utf8(data).ok()?.split('\u{1f}').collect();
        Some(Self { texts, next: 0 })
    }

    /// How many there are before they repeat.
    pub(crate) fn count(&self) -> usize {
        self.texts.len()
    }

    pub(crate) fn text(&mut self) -> &'a str {
        let text = self.texts[self.next % self.texts.len()];
        self.next += 1;
        text
    }

    pub(crate) fn string(&mut self) -> String {
        self.text().to_owned()
    }

    /// A text, or none where it is empty.
    pub(crate) fn option(&mut self) -> Option<String> {
        Some(self.string()).filter(|text| !text.is_empty())
    }

    /// A number that a text gives by its length.
    pub(crate) fn number(&mut self) -> usize {
        self.text().len()
    }

    /// A flow whose id ends in a text, as far as one may.
    pub(crate) fn flow(&mut self) -> FlowId {
        let text = self.text();
        FlowId::parse(&format!("B2C_1_{text}"))
            .or_else(|_| FlowId::parse(&format!("B2C_1_{}", text.len())))
            .expect("a prefix and a number are an id")
    }

    /// A connector whose id and name are texts, as far as an id may.
    pub(crate) fn connector(&mut self) -> Connector {
        let text = self.text();
        let id = ConnectorId::parse(text).or_else(|_| ConnectorId::parse(&format!("c{}", text.len())));
        Connector { id: id.expect("a letter and a number are an id"), display_name: self.option() }
    }
}
