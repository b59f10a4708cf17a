//! JSON schemas: `schemas/` is up to date, and examples and cases match them.

use std::fs;
use std::path::{Path, PathBuf};

use flowbind::model::{FlowId, Tenant};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::{flowbind, package};

pub fn schema(name: &str) -> Validator {
    let text = fs::read_to_string(package("schemas").join(format!("{name}.schema.json"))).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

/// Returns all files below a folder with this extension.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|it| it == ending) {
            found.push(path);
        }
    }
    found
}

pub fn yaml(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    let strict = serde_yaml::options! {
        strict_booleans: true,
        budget: serde_yaml::budget! { enforce_alias_anchor_ratio: false },
    };
    serde_yaml::from_str_with_options(text.trim_start_matches('\u{feff}'), strict).unwrap()
}

pub fn assert_fits(schema: &Validator, value: &Value, path: &Path) {
    let errors: Vec<_> = schema.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{}: {errors:?}", path.display());
}

#[test]
fn schema_files_equal_the_command_output() {
    for name in ["desired", "plan", "drift", "report", "comparison", "snapshot"] {
        let outcome = flowbind(["schema", name]).run();
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
        let file = package("schemas").join(format!("{name}.schema.json"));
        assert_eq!(fs::read_to_string(file).unwrap(), outcome.stdout);
    }
}

#[test]
fn examples_and_cases_match_their_schemas() {
    let (desired, snapshot) = (schema("desired"), schema("snapshot"));
    let mut seen = 0;
    for folder in ["examples/quickstart", "examples/stages", "tests/cases"] {
        for path in files(&package(folder), "yaml") {
            assert_fits(&desired, &yaml(&path), &path);
            seen += 1;
        }
        let tenants =
            files(&package(folder), "json").into_iter().filter(|path| path.ends_with("tenant.json"));
        for path in tenants {
            let text = fs::read_to_string(&path).unwrap();
            assert_fits(&snapshot, &serde_json::from_str(&text).unwrap(), &path);
        }
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn comparison_matches_its_schema() {
    let args =
        ["compare", "examples/stages/test.yaml", "examples/quickstart/tenant.json", "--format", "json"];
    let outcome = flowbind(args).within(&package("")).run();
    let comparison: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(!comparison["differences"].as_array().unwrap().is_empty(), "{comparison}");
    assert_fits(&schema("comparison"), &comparison, Path::new("stdout"));
}

/// The schema rejects most kinds of invalid files, so that editors can show them.
#[test]
fn schema_rejects_invalid_files_like_the_command() {
    let schema = schema("desired");
    let refused = |name: &str| !schema.is_valid(&yaml(&package("tests/bad").join(format!("{name}.yaml"))));
    for name in [
        "unknown-key",
        "missing-keys",
        "version-unknown",
        "version-as-a-string",
        "tenant-as-a-number",
        "client-id-not-a-guid",
        "cloud-unknown",
        "api-unknown",
        "steps-empty",
        "steps-twice",
        "steps-unknown",
        "step-unknown",
        "flow-without-prefix",
        "flow-with-white-space",
        "flow-as-null",
        "flows-as-a-list",
        "binding-to-an-empty-string",
        "binding-to-a-boolean",
        "binding-without-connector",
        "binding-with-an-unknown-key",
        "connector-without-id-and-name",
        "connector-id-not-a-guid",
        "connector-with-an-unknown-key",
        "connector-with-an-empty-short-name",
        "connector-short-name-like-an-id",
        "guards-too-large",
        "hold-without-until-and-reason",
        "hold-with-empty-reason",
        "hold-with-number-as-reason",
        "hold-with-an-unknown-key",
        "hold-until-a-number",
        "hold-as-a-string",
        "flow-with-a-control-character",
    ] {
        assert!(refused(name), "{name}");
    }
}

/// Checks every character, because the rule is written twice: as a regular expression and in Rust. The
/// expression lists white space and control characters one by one, because `\s` differs from the characters
/// that `FlowId` rejects.
#[test]
fn schema_accepts_the_same_flow_ids_as_the_command() {
    let schema = schema("desired");
    for char in ('\0'..='\u{3100}').chain(['\u{feff}', '\u{ffff}', '\u{1f600}']) {
        let id = format!("B2C_1_{char}");
        let file = json!({"version": 1, "tenant": "a.com", "flows": {(id.as_str()): {}}});
        assert_eq!(schema.is_valid(&file), FlowId::parse(&id).is_ok(), "{char:?}");
    }
}

#[test]
fn schema_accepts_the_same_tenants_as_the_command() {
    let schema = schema("desired");
    let (label, guid) = ("a".repeat(63), "1f1d2c3b-0000-4000-8000-00000000abcd");
    let long = [label.as_str(); 4].join(".");
    let (longest, other) = (&long[..253], format!("{label}a.com"));
    for tenant in
        ["", "a", "a.b", "a..b", ".a", "a.", "-a.b", "a.b-", "a-b.c", "a b.c", "é.com", "a_b.c", "a.b/c"]
            .into_iter()
            .chain([guid, &guid[1..], &guid.to_uppercase(), &long, longest, &other])
    {
        let file = json!({"version": 1, "tenant": tenant, "flows": {}});
        assert_eq!(schema.is_valid(&file), tenant.parse::<Tenant>().is_ok(), "{tenant}");
    }
}

/// Editors show descriptions and examples.
#[test]
fn schema_describes_every_key_with_an_example() {
    fn look(at: &str, schema: &Value, seen: &mut usize) {
        match schema {
            Value::Object(object) => {
                for (key, property) in
                    object.get("properties").and_then(Value::as_object).into_iter().flatten()
                {
                    // A reference has its description at its target.
                    let has_description = property["description"].is_string() || property["$ref"].is_string();
                    assert!(has_description, "{at}/{key} has no description");
                    let shown = property["examples"].as_array().is_some_and(|examples| !examples.is_empty());
                    assert!(
                        shown || property["$ref"].is_string() || property["const"].is_number(),
                        "{at}/{key} has no example"
                    );
                    *seen += 1;
                }
                for (key, inner) in object {
                    look(&format!("{at}/{key}"), inner, seen);
                }
            }
            Value::Array(inner) => inner.iter().for_each(|inner| look(at, inner, seen)),
            _ => {}
        }
    }
    let schema: Value = serde_json::from_str(&flowbind(["schema", "desired"]).run().stdout).unwrap();
    let mut seen = 0;
    look("", &schema, &mut seen);
    assert!(seen >= 20, "{seen}");
}
