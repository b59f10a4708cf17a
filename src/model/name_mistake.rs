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
    /// `{{`; otherwise `None`. The text must already match no name.
    pub fn detect(text: &str) -> Option<Self> {
        const NOTHING: [&str; 8] = ["null", "off", "no", "none", "nothing", "false", "disable", "disabled"];
        if NOTHING.iter().any(|word| text.eq_ignore_ascii_case(word)) {
            return Some(Self::Nothing);
        }
        ["${", "$(", "{{"].iter().any(|start| text.contains(start)).then_some(Self::Variable)
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
        for word in ["off", "None", "disabled"] {
            assert_eq!(NameMistake::detect(word), Some(NameMistake::Nothing), "{word}");
        }
        for variable in ["${FRAUD}", "$(FRAUD)", "{{ fraud }}", "check-${STAGE}"] {
            assert_eq!(NameMistake::detect(variable), Some(NameMistake::Variable), "{variable}");
        }
        for name in ["Fraud check", "No-show check", "$"] {
            assert_eq!(NameMistake::detect(name), None, "{name}");
        }
    }
}
