//! Short names of connectors in a desired-state file.

use std::collections::BTreeMap;

use crate::model::is_guid;

/// Returns a readable short name: lower-case ASCII letters and digits with hyphens between, at most 60
/// characters, never empty and never a GUID. A name without letters and digits becomes `connector`; a GUID
/// gets the prefix `connector-`.
pub fn slug(name: &str) -> String {
    let words = name.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    let slug: String = slug.chars().take(60).collect();
    // A GUID would be read as an id.
    if slug.is_empty() || is_guid(&slug) {
        format!("connector-{slug}").trim_end_matches('-').to_owned()
    } else {
        slug
    }
}

/// Returns the slug if it is not used, otherwise the slug with the next unused number from 2. `numbers` keeps the
/// last number of each slug, and is updated.
pub fn unused(slug: String, numbers: &mut BTreeMap<String, u32>, is_used: impl Fn(&str) -> bool) -> String {
    if !is_used(&slug) {
        return slug;
    }
    let number = numbers.entry(slug.clone()).or_insert(1);
    loop {
        *number = number.saturating_add(1);
        let name = format!("{slug}-{number}");
        if !is_used(&name) {
            return name;
        }
    }
}
