//! Texts that are written in place of a connector's name, but mean something else.

/// Likely mistake in a text that matches no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameMistake {
    /// A word for "no connector". In a file, that is `null`.
    Nothing,
    /// A variable of a shell or a template. Files are not expanded.
    Variable,
}

impl NameMistake {
    /// Returns `Nothing` for a word such as `off` in any case, and `Variable` for a text with `${`, `$(` or
    /// `{{`, or a `$` and a name; otherwise `None`. The text must already match no name.
    pub fn detect(text: &str) -> Option<Self> {
        const NOTHING: [&str; 15] = [
            "null", "nil", "off", "no", "none", "nothing", "false", "disable", "disabled", "empty", "n/a",
            "remove", "unbind", "unset", "~",
        ];
        if NOTHING.iter().any(|word| text.eq_ignore_ascii_case(word)) {
            return Some(Self::Nothing);
        }
        let is_shell = text.strip_prefix('$').is_some_and(|name| {
            name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
                && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
        });
        (is_shell || ["${", "$(", "{{"].iter().any(|start| text.contains(start))).then_some(Self::Variable)
    }

    /// Returns what is wrong, for a message. `shown` is the text, shortened if necessary.
    pub fn message(self, shown: &str) -> String {
        match self {
            Self::Nothing => format!("`{shown}` is not a connector"),
            Self::Variable => format!("`{shown}` is a variable, not a connector"),
        }
    }

    /// Returns the hint that corrects the mistake, for a message.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Nothing => "to call nothing, write `null` without quotes",
            Self::Variable => "write the value itself; flowbind does not expand variables",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detect_finds_words_for_nothing_and_variables() {
        for word in ["off", "None", "disabled", "n/a", "unbind"] {
            assert_eq!(NameMistake::detect(word), Some(NameMistake::Nothing), "{word}");
        }
        for variable in ["${FRAUD}", "$(FRAUD)", "{{ fraud }}", "check-${STAGE}", "$FRAUD", "$_1"] {
            assert_eq!(NameMistake::detect(variable), Some(NameMistake::Variable), "{variable}");
        }
        for name in ["Fraud check", "No-show check", "$", "$5 check", "Check $FRAUD"] {
            assert_eq!(NameMistake::detect(name), None, "{name}");
        }
    }
}
