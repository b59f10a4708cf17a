//! Characters that readers do not see, or take for others, and names that differ only by them.

/// Letters of other scripts that look like the Latin letters at the same index.
const LOOK_ALIKES: (&str, &str) = (
    "АВЕЅІЈКМНОРСТХУаеѕіјорсухΑΒΕΖΗΙΚΜΝΟΡΤΥΧονρ\u{2010}\u{2011}\u{2012}\u{2013}\u{2212}’‘“”",
    "ABESIJKMHOPCTXYaesijopcyxABEZHIKMNOPTYXovp-----''\"\"",
);

/// Returns whether a character shows nothing, or a blank that is not U+0020.
pub fn is_invisible(char: char) -> bool {
    (char.is_whitespace() && char != ' ')
        || char.is_control()
        || matches!(
            char,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{17b4}'
                | '\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Returns a text without the blanks around it, also those without a width.
pub fn trim_blanks(text: &str) -> &str {
    text.trim_matches(|char: char| {
        char.is_whitespace() || matches!(char, '\u{200b}' | '\u{2060}' | '\u{feff}')
    })
}

/// Returns a character for a message: `c` as itself, all that a reader cannot see or mistakes by its number.
pub fn describe(char: char) -> String {
    let kind = match char {
        '!'..='~' => return format!("`{char}`"),
        ' ' => "space",
        '\t' => "tab",
        '\n' | '\r' => "line end",
        '\u{a0}' => "no-break space",
        '\u{ad}' => "soft hyphen",
        '\u{200b}' => "zero width space",
        '\u{202f}' => "narrow no-break space",
        '\u{feff}' => "byte order mark",
        '\u{300}'..='\u{36f}' => "combining accent",
        '\u{370}'..='\u{3ff}' => "Greek letter",
        '\u{400}'..='\u{4ff}' => "Cyrillic letter",
        _ if is_invisible(char) => "invisible character",
        _ => return format!("U+{:04X} `{char}`", u32::from(char)),
    };
    format!("U+{:04X} ({kind})", u32::from(char))
}

/// Returns a name as a YAML value in which each character can be seen: as it is, or in double quotes, with
/// escapes for invisible characters and look-alikes.
pub fn spell_out(name: &str) -> String {
    let is_plain = |char: char| char.is_ascii_graphic() || char == ' ';
    let is_hidden =
        |char: char| !is_plain(char) && (is_invisible(char) || to_latin(char) != char || is_combining(char));
    let has_blanks = name.trim() != name || name.contains("  ");
    if !has_blanks && !name.contains(is_hidden) {
        return name.to_owned();
    }
    let mut text = String::from("\"");
    for char in name.chars() {
        match char {
            '"' | '\\' => text.extend(['\\', char]),
            _ if is_hidden(char) && u32::from(char) > 0xffff => {
                text.push_str(&format!("\\U{:08x}", u32::from(char)));
            }
            _ if is_hidden(char) => text.push_str(&format!("\\u{:04x}", u32::from(char))),
            _ => text.push(char),
        }
    }
    text + "\""
}

/// Returns the first difference of two names that look the same, such as ``U+00A0 (no-break space) at column
/// 6, not U+0020 (space)``; `None` if the names are equal or look different.
pub fn invisible_difference(written: &str, actual: &str) -> Option<String> {
    if written == actual || !appearance(written).eq(&appearance(actual)) {
        return None;
    }
    let (mut one, mut other) = (written.chars(), actual.chars());
    let mut column = 1_usize;
    loop {
        match (one.next(), other.next()) {
            (Some(char), Some(expected)) if char == expected => column = column.saturating_add(1),
            (Some(char), Some(expected)) => {
                return Some(format!("{} at column {column}, not {}", describe(char), describe(expected)));
            }
            (Some(char), None) => return Some(format!("{} at column {column}", describe(char))),
            (None, Some(expected)) => return Some(format!("no {} at column {column}", describe(expected))),
            (None, None) => return None,
        }
    }
}

/// Returns what a reader sees of a name. A letter with an accent is one item, whether one character or two.
fn appearance(name: &str) -> Vec<Glyph> {
    let mut glyphs = Vec::new();
    for char in name.chars() {
        let char = if char.is_whitespace() { ' ' } else { to_latin(char) };
        let glyph = match glyphs.last() {
            Some(Glyph::Plain(' ')) | None if char == ' ' => continue,
            _ if char != ' ' && is_invisible(char) => continue,
            Some(Glyph::Plain(_)) if is_combining(char) => {
                glyphs.pop();
                Glyph::Accented
            }
            Some(Glyph::Accented) if is_combining(char) => continue,
            _ if char.is_alphabetic() && !char.is_ascii() => Glyph::Accented,
            _ => Glyph::Plain(char),
        };
        glyphs.push(glyph);
    }
    if glyphs.last() == Some(&Glyph::Plain(' ')) {
        glyphs.pop();
    }
    glyphs
}

/// What a reader sees of one or more characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Glyph {
    Plain(char),
    /// Letter outside ASCII. Two names with such letters at one place may look the same.
    Accented,
}

fn is_combining(char: char) -> bool {
    matches!(char, '\u{300}'..='\u{36f}')
}

fn to_latin(char: char) -> char {
    let (others, latin) = LOOK_ALIKES;
    others.chars().zip(latin.chars()).find(|(other, _)| *other == char).map_or(char, |(_, latin)| latin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_difference_of_names_that_look_the_same_has_the_column() {
        for (written, actual, expected) in [
            ("Fraud\u{a0}check", "Fraud check", "U+00A0 (no-break space) at column 6, not U+0020 (space)"),
            ("Fraud check", "Fraud\u{a0}check", "U+0020 (space) at column 6, not U+00A0 (no-break space)"),
            ("Fra\u{200b}ud check", "Fraud check", "U+200B (zero width space) at column 4, not `u`"),
            ("Fraud  check", "Fraud check", "U+0020 (space) at column 7, not `c`"),
            ("Fraud check ", "Fraud check", "U+0020 (space) at column 12"),
            ("Fraud check", "Fraud check\u{200b}", "no U+200B (zero width space) at column 12"),
            ("Ge\u{301}ne", "Géne", "`e` at column 2, not U+00E9 `é`"),
            ("Сheck", "Check", "U+0421 (Cyrillic letter) at column 1, not `C`"),
        ] {
            assert_eq!(invisible_difference(written, actual).as_deref(), Some(expected), "{written:?}");
        }
        for (written, actual) in
            [("Check", "Check"), ("Check", "check"), ("a b", "ab"), ("", "a"), ("é", "e")]
        {
            assert_eq!(invisible_difference(written, actual), None, "{written:?}");
        }
    }

    #[test]
    fn spell_out_escapes_only_what_cannot_be_seen() {
        for (name, expected) in [
            ("Fraud check", "Fraud check"),
            ("Prüfung", "Prüfung"),
            ("Fraud\u{a0}check", "\"Fraud\\u00a0check\""),
            ("a  \"b\"", "\"a  \\\"b\\\"\""),
            ("Сheck\u{e0001}", "\"\\u0421heck\\U000e0001\""),
        ] {
            assert_eq!(spell_out(name), expected);
        }
    }

    #[test]
    fn look_alikes_have_one_latin_letter_each() {
        assert_eq!(LOOK_ALIKES.0.chars().count(), LOOK_ALIKES.1.chars().count());
    }
}
