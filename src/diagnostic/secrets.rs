//! Masks what may be a secret in a text of a file, before a message shows it.
//!
//! A file has no secrets, but people paste them: an address with its key, or a password beside a client id. The
//! text may be invalid, so it is searched, not parsed, and too much is masked rather than too little.

use std::borrow::Cow;

/// Ends of keys whose value is masked, without hyphens and underscores, as in `AZURE_CLIENT_SECRET`.
const SECRET_KEYS: [&str; 4] = ["secret", "password", "accesstoken", "apikey"];

/// Replaces by `*`: user info, queries and fragments of addresses, with or without a scheme, and the values of
/// keys such as `password`. The number of characters stays the same, so that columns do not change.
pub fn mask(line: &mut [char]) {
    let ends = |char: &char| char.is_whitespace() || matches!(char, '"' | '\'' | '}' | ']' | ',' | '`');
    for word in line.split_mut(ends) {
        let query = word.iter().position(|char| matches!(char, '?' | '#')).unwrap_or(word.len());
        let (address, query) = word.split_at_mut(query);
        let start = address.windows(3).position(|three| three == [':', '/', '/']);
        if start.is_some() || query.contains(&'=') {
            query.iter_mut().skip(1).for_each(|char| *char = '*');
        }
        let start = start.map_or(0, |at| at.saturating_add(3));
        let rest = address.get_mut(start..).unwrap_or_default();
        let authority = rest.iter().position(|char| *char == '/').unwrap_or(rest.len());
        // Without a scheme, or behind a slash, only a text with a password is user info.
        let is_user_info =
            |end: usize| (start > 0 && end < authority) || rest.iter().take(end).any(|char| *char == ':');
        let end = rest.iter().rposition(|char| *char == '@').filter(|end| is_user_info(*end)).unwrap_or(0);
        rest.iter_mut().take(end).for_each(|char| *char = '*');
    }
    // A secret may contain any character, so the rest of the line is masked.
    let ends_key = |at: &usize| {
        matches!(line.get(*at), Some(':' | '：')) && is_secret(line.get(..*at).unwrap_or_default())
    };
    if let Some(colon) = (0..line.len()).find(ends_key) {
        let value = line.iter_mut().skip(colon.saturating_add(1)).skip_while(|char| char.is_whitespace());
        value.for_each(|char| *char = '*');
    }
}

/// Returns a text with what [`mask`] masks.
pub fn masked(text: &str) -> Cow<'_, str> {
    let mut chars: Vec<_> = text.chars().collect();
    mask(&mut chars);
    let masked: String = chars.into_iter().collect();
    if masked == text { Cow::Borrowed(text) } else { Cow::Owned(masked) }
}

/// Returns whether the key before a colon ends with one of [`SECRET_KEYS`].
fn is_secret(before: &[char]) -> bool {
    let key = before.iter().rev().skip_while(|char| matches!(char, '"' | '\'' | ' '));
    let key = key.take_while(|char| char.is_alphanumeric() || matches!(char, '_' | '-'));
    let key: Vec<_> = key.filter(|char| char.is_alphanumeric()).map(char::to_ascii_lowercase).collect();
    SECRET_KEYS.iter().any(|secret| secret.chars().rev().eq(key.iter().copied().take(secret.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masked_text_has_no_keys_and_keeps_its_length() {
        for (text, expected) in [
            ("a: https://user:pw@h/p?code=s3cr3t, b: x", "a: https://*******@h/p?***********, b: x"),
            ("a: https://token@h/p#key", "a: https://*****@h/p#***"),
            ("a: h.example/p?code=s3cr3t", "a: h.example/p?***********"),
            ("a: [//h/p?code=s3cr3t]", "a: [//h/p?***********]"),
            ("a: https:///u:pw@/x", "a: https://*****@/x"),
            ("a: u:pw@h/p", "a: ****@h/p"),
            ("{clientSecret: s3cr3t, tenant: x}", "{clientSecret: ******************"),
            ("password: \"s3,c}r3t\"", "password: **********"),
            ("password：s3cr3t", "password：******"),
            ("AZURE_CLIENT_SECRET: s3cr3t", "AZURE_CLIENT_SECRET: ******"),
            ("FLOWBIND_ACCESS_TOKEN: s3cr3t", "FLOWBIND_ACCESS_TOKEN: ******"),
            ("secretary: Fraud check", "secretary: Fraud check"),
            ("\"client_secret\" : \"s3 cr3t\"", "\"client_secret\" : *********"),
            ("preTokenIssuance: Token enrichment # why?", "preTokenIssuance: Token enrichment # why?"),
            ("B2C_1_a?b: ##[c]#d", "B2C_1_a?b: ##[c]#d"),
            ("x: team@contoso.com", "x: team@contoso.com"),
            ("x: https://h/p@2/q", "x: https://h/p@2/q"),
        ] {
            assert_eq!(masked(text), expected, "{text}");
            assert_eq!(expected.chars().count(), text.chars().count());
        }
    }
}
