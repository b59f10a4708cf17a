//! Hostile names and messages in every format, log and error: the output has no active content, and the
//! parser of the format reads the original text.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use flowbind::sandbox::Options;
use serde_json::{Value, json};

use crate::fuzz_corpus::fuzz::{inert, readers};
use crate::support::{
    FORMATS, Outcome, answer_get, connector_id, file, flowbind, folder, package, serve, tenant,
    yaml_binding_connector_1,
};

fn corpus() -> Vec<String> {
    let mut corpus: Vec<String> = [
        "\u{1b}[31mred\u{1b}]0;title\u{7}",
        "a\nb\r\nc\u{85}d\u{2028}e",
        "%0A::error::x",
        "::error::x",
        "   ::stop-commands::x",
        "a\n::set-output name=x::y",
        "before ##[error]after ##vso[task.setvariable variable=x]y ##VSO[task.complete]",
        "`code` ``two`` ```\nfence",
        "a | b \\| c",
        "</details></summary></code></pre>--><!-- x",
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "'\"><svg onload=alert(1)>",
        "@org/team @everyone #1 GH-1 org/repo#1 deadbeefdeadbeefdeadbeefdeadbeefdeadbeef :tada: $x$",
        "https://evil.example.com www.evil.example.com a@evil.example.com",
        "[link](javascript:alert(1)) ![image](x) **bold** _it_ ~~no~~ <https://a.b>",
        "\u{202e}desrever\u{2066}\u{2069}\u{200f}\u{61c}",
        "\u{0}nul\u{1}\u{7f}\u{9b}",
        "&amp; &#64; &lt;b&gt; ]]> <![CDATA[ x <?php",
        "\\\" \\n {x=\"y\"} # HELP",
        "- a: b # c\n---\n...",
        "x\n+++ /etc/passwd\n@@ -1 +1 @@",
        "\u{feff}\u{fffe}\u{ffff}\u{fffd}",
        "{{ secrets.X }} ${{ x }} $(id) `id`",
    ]
    .map(str::to_owned)
    .to_vec();
    corpus.push("long ".repeat(2_000));
    corpus.push("|".repeat(10_000));
    corpus
}

/// Folder with a snapshot and a file. Each hostile name is bound, is to be bound, is to be unbound and is unmanaged.
fn hostile_folder() -> tempfile::TempDir {
    let corpus = corpus();
    let connectors: Vec<_> = corpus
        .iter()
        .enumerate()
        .map(|(at, name)| {
            json!({"id": connector_id(at), "displayName": name, "targetUrl": "https://api.contoso.com/x"})
        })
        .collect();
    let bound = |at: usize| connector_id(at % corpus.len());
    let flows: Vec<_> = (0..corpus.len())
        .map(|at| {
            json!({"id": format!("B2C_1_{at}"), "userFlowType": "signUpOrSignIn", "userFlowTypeVersion": 3,
                "bindings": {"postFederationSignup": bound(at), "postAttributeCollection": bound(at + 1)}})
        })
        .collect();
    let snapshot = json!({"formatVersion": "1", "tenant": "contoso.onmicrosoft.com", "cloud": "global",
        "takenAt": "2026-11-02T08:00:00Z", "connectors": connectors, "flows": flows});
    let mut yaml =
        "version: 1\ntenant: contoso.onmicrosoft.com\nguards: {maxDisables: 2}\nflows:\n".to_owned();
    for at in 0..corpus.len() {
        let wanted = match at % 3 {
            0 => "null".to_owned(),
            1 => bound(at + 2),
            _ => bound(at),
        };
        yaml.push_str(&format!("  B2C_1_{at}:\n    postFederationSignup: {wanted}\n"));
    }
    let folder = folder();
    file(folder.path(), "tenant.json", snapshot.to_string());
    file(folder.path(), "flowbind.yaml", yaml);
    folder
}

/// Returns the drift in one format.
fn shown(format: &str) -> Outcome {
    flowbind(["drift", "--strict", "--sandbox", "tenant.json", "--format", format, "-vv"])
        .within(hostile_folder().path())
        .run()
}

/// Checks that the text has no active content. In the `github` format every line is one workflow command.
fn assert_inert(format: &str, text: &str) {
    if format == "github" { _ = readers::github(text) } else { inert::assert_inert(text) }
}

#[test]
fn hostile_names_are_inert_in_every_format_and_log() {
    for (format, ending) in FORMATS {
        let outcome = shown(format);
        assert_eq!(outcome.code, 2, "{format}: {outcome}");
        assert_inert(format, &outcome.stdout);
        assert_inert("stderr", &outcome.stderr);
        // `.ci/others/run` checks these files with external parsers.
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hostile.{ending}"));
        fs::write(kept, outcome.stdout).unwrap();
    }
}

#[test]
fn hostile_names_in_a_comparison_are_inert() {
    let folder = hostile_folder();
    for format in ["text", "json", "markdown"] {
        let outcome = flowbind(["compare", "flowbind.yaml", "tenant.json", "--format", format])
            .within(folder.path())
            .run();
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
        assert_inert(format, &outcome.stdout);
        if format == "markdown" {
            let (codes, rows) = readers::markdown(&outcome.stdout);
            assert!(rows > 0 && codes.iter().any(|code| code.contains("<script>")), "{outcome}");
        }
    }
}

#[test]
fn hostile_names_in_markdown_are_code() {
    let comment = shown("markdown").stdout;
    let (codes, rows) = readers::markdown(&comment);
    assert!(codes.iter().any(|code| code == "<script>alert(1)</script><img src=x onerror=alert(1)>"));
    let is_block = |line: &&str| line.starts_with('<') && !line.starts_with("<code>");
    let elements: Vec<_> = comment.lines().filter(is_block).collect();
    let [marker, summary, end] = elements.as_slice() else { panic!("{elements:?}") };
    assert_eq!((*marker, *end), ("<!-- flowbind:drift -->", "</details>"));
    assert_eq!(*summary, "<details><summary>What to do</summary>");
    assert!(rows > 0, "{comment}");
}

#[test]
fn hostile_names_in_junit_are_text() {
    let text = shown("junit").stdout;
    assert!(!readers::junit(&text).is_empty());
    let document = roxmltree::Document::parse(&text).unwrap();
    let tags: BTreeSet<_> =
        document.descendants().filter(|it| it.is_element()).map(|it| it.tag_name().name()).collect();
    assert_eq!(tags, BTreeSet::from(["failure", "testcase", "testsuite", "testsuites"]));
    let messages: String = document.descendants().filter_map(|it| it.attribute("message")).collect();
    assert!(messages.contains("<script>alert(1)</script>"), "shown as text: {messages}");
}

#[test]
fn hostile_names_in_html_add_no_elements() {
    let page = shown("html").stdout;
    assert!(!readers::html(&page).is_empty());
    let document = scraper::Html::parse_document(&page);
    let all = scraper::Selector::parse("*").unwrap();
    let tags: BTreeSet<_> = document.select(&all).map(|it| it.value().name()).collect();
    assert!(tags.is_subset(&readers::ELEMENTS.into()), "{tags:?}");
    let scripts = scraper::Selector::parse("script").unwrap();
    assert_eq!(document.select(&scripts).count(), 1);
    // The policy allows no resources, and only the page's own script and style.
    assert!(page.contains("content=\"default-src 'none'; style-src 'sha256-"), "{}", &page[..400]);
}

#[test]
fn hostile_names_in_metrics_are_labels() {
    let samples = shown("prom").stdout;
    let sums = readers::prometheus(&samples, &["contoso.onmicrosoft.com"]);
    assert!(sums["flowbind_drift_differences"] >= i64::try_from(corpus().len()).unwrap(), "{samples}");
}

#[test]
fn hostile_names_in_json_are_strings() {
    let drift: Value = serde_json::from_str(&shown("json").stdout).unwrap();
    let differences = drift["targets"][0]["differences"].as_array().unwrap().iter();
    let unmanaged = differences.filter(|it| it["kind"] == "unmanaged");
    let names: BTreeSet<_> =
        unmanaged.map(|it| it["tenant"]["displayName"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, corpus().into_iter().collect(), "complete and unchanged");
}

/// Messages of the service are untrusted, too.
#[test]
fn service_messages_are_inert() {
    for message in corpus() {
        let body =
            json!({"error": {"code": message, "message": message, "innerError": {"request-id": message}}});
        let faults = vec![answer_get("/apiConnectorConfiguration", 0, 403, &[], &body.to_string())];
        let served = serve(tenant(&[("B2C_1_a", 1, 2)]), Options { faults, ..Options::default() });
        let folder = folder();
        let yaml =
            "version: 1\ntenant: contoso.onmicrosoft.com\nflows: {B2C_1_a: {postFederationSignup: null}}\n";
        file(folder.path(), "flowbind.yaml", yaml);
        let outs: Vec<_> = ["md", "diff", "xml", "html", "prom", "txt", "json"]
            .iter()
            .flat_map(|ending| ["--out".to_owned(), format!("plan.{ending}")])
            .collect();
        let outcome = flowbind(["plan", "-vv", "--format", "github"])
            .args(&outs)
            .connect_to(&served.graph_url())
            .within(folder.path())
            .run();
        assert_eq!(outcome.code, 1, "{outcome}");
        assert_inert("github", &outcome.stdout);
        assert_inert("stderr", &outcome.stderr);
        for path in outs.iter().filter(|out| !out.starts_with('-')) {
            let text = fs::read_to_string(folder.path().join(path)).unwrap();
            assert_inert(path, &text);
        }
        let page = fs::read_to_string(folder.path().join("plan.html")).unwrap();
        assert_eq!(scraper::Html::parse_document(&page).errors, Vec::<String>::new());
        let suites = fs::read_to_string(folder.path().join("plan.xml")).unwrap();
        roxmltree::Document::parse(&suites).unwrap();
    }
}

/// JSON can contain a lone surrogate, but a Rust string cannot.
#[test]
fn lone_surrogate_in_response_is_unknown() {
    let body =
        format!(r#"{{"postFederationSignup": {{"id": "{}", "displayName": "\ud800"}}}}"#, connector_id(1));
    let faults = vec![answer_get("/apiConnectorConfiguration", 0, 200, &[], &body)];
    let served = serve(tenant(&[("B2C_1_a", 1, 2)]), Options { faults, ..Options::default() });
    let yaml =
        "version: 1\ntenant: contoso.onmicrosoft.com\nflows: {B2C_1_a: {postFederationSignup: null}}\n";
    for (format, _) in FORMATS {
        let outcome = served.plan(yaml, &["--format", format]);
        assert_eq!(outcome.code, 1, "{outcome}");
    }
}

/// File names occur in annotations, comments and commands. Windows does not have these names.
#[cfg(unix)]
#[test]
fn hostile_file_names_are_inert() {
    let folder = folder();
    let snapshot = tenant(&[("B2C_1_a", 1, 2)]).to_json();
    file(folder.path(), "tenant.json", snapshot);
    for name in
        ["::error::x.yaml", "a`b|c.yaml", "##[error]x.yaml", "a,line=1::b.yaml", "it's <b>.yaml", "a\nb.yaml"]
    {
        let yaml =
            "version: 1\ntenant: contoso.onmicrosoft.com\nflows: {B2C_1_a: {postFederationSignup: null}}\n";
        file(folder.path(), name, yaml);
        for (format, _) in FORMATS {
            let outcome = flowbind(["plan", name, "--sandbox", "tenant.json", "--format", format])
                .within(folder.path())
                .run();
            assert_eq!(outcome.code, 0, "{name} {format}: {outcome}");
            assert_inert(format, &outcome.stdout);
        }
        let outcome = flowbind(["validate", name]).within(folder.path()).run();
        assert_inert("text", &outcome.stdout);
        file(folder.path(), name, "nonsense: 1\n");
        let outcome = flowbind(["validate", name]).within(folder.path()).run();
        assert_inert("stderr", &outcome.stderr);
    }
}

/// A report file is untrusted, but a workflow trusts its outputs.
#[test]
fn saved_fingerprint_cannot_add_an_output() {
    let folder = folder();
    let report = fs::read_to_string(package("tests/formats/report/report.json")).unwrap();
    let mut report: Value = serde_json::from_str(&report).unwrap();
    report["fingerprint"] = "ab\nrefused=false\n<<x".into();
    file(folder.path(), "report.json", report.to_string());
    let outputs = file(folder.path(), "outputs", "before=1\n");
    let summary = file(folder.path(), "summary", "");
    let outcome = flowbind(["show", "report.json", "--format", "github"])
        .env("GITHUB_OUTPUT", outputs.to_str().unwrap())
        .env("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())
        .within(folder.path())
        .run();
    assert_eq!(outcome.code, 4, "{outcome}");
    let names: Vec<_> = fs::read_to_string(outputs)
        .unwrap()
        .lines()
        .map(|line| line.split_once('=').unwrap().0.to_owned())
        .collect();
    let ours = ["before", "changes", "enable", "replace", "disable", "drift", "fingerprint", "refused"];
    assert_eq!(names, ours, "appended to the outputs of other steps, without further lines");
    assert!(fs::read_to_string(summary).unwrap().starts_with("<!-- flowbind:report -->\n"));
}

/// A suggested command must work for every file name.
#[test]
fn file_names_in_suggestions_are_not_options() {
    let folder = folder();
    file(folder.path(), "tenant.json", tenant(&[("B2C_1_a", 2, 0)]).to_json());
    file(folder.path(), "--plan=a.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    for command in ["drift", "plan --format markdown"] {
        let outcome =
            flowbind(command.split(' ')).args([".", "--sandbox", "tenant.json"]).within(folder.path()).run();
        assert!(outcome.stdout.contains("flowbind apply ./--plan=a.yaml "), "{outcome}");
    }
}

/// Anyone who can change a repository can replace a file by a symlink.
#[cfg(unix)]
#[test]
fn symlinks_cannot_lead_out_of_the_repository() {
    use std::os::unix::fs::symlink;
    let (repository, outside) = (folder(), folder());
    let at = repository.path();
    for folder in [".git", "reports"] {
        fs::create_dir_all(at.join(folder)).unwrap();
    }
    let kept = [outside.path().join("kept.json"), at.join(".git/config")];
    for path in &kept {
        fs::write(path, "\"hunter2\"").unwrap();
    }
    file(outside.path(), "tenant.json", tenant(&[("B2C_1_a", 2, 0)]).to_json());
    file(at, "tenant.json", tenant(&[("B2C_1_a", 2, 0)]).to_json());
    file(at, "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    symlink(&kept[0], at.join("plan.json")).unwrap();
    symlink("plan.json", at.join("chain.json")).unwrap();
    symlink(".git/config", at.join("git.json")).unwrap();
    symlink(outside.path().join("new.json"), at.join("new.json")).unwrap();
    symlink(outside.path(), at.join("folder")).unwrap();
    symlink("reports/plan.json", at.join("inside.json")).unwrap();
    let run = |args: &[&str]| flowbind(args).within(at).run();
    for out in ["plan.json", "chain.json", "git.json", "new.json", "folder/new.json", "folder/kept.json"] {
        let outcome = run(&["plan", "--sandbox", "tenant.json", "--out", out]);
        let why = format!("cannot write `{out}`\n  = cause: the resolved path is");
        assert!(outcome.code == 1 && outcome.stderr.contains(&why), "{outcome}");
    }
    for saved in ["plan.json", "git.json", "folder/kept.json"] {
        for command in [&["show", saved][..], &["apply", "--plan", saved], &["plan", "--sandbox", saved]] {
            let outcome = run(command);
            assert_eq!(outcome.code, 1, "{outcome}");
            assert!(!outcome.stderr.contains("hunter2"), "{outcome}");
        }
    }
    let outcome = run(&["apply", "--yes", "--sandbox", "folder/tenant.json"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    let exported = "contoso.onmicrosoft.com.yaml";
    symlink(&kept[0], at.join(exported)).unwrap();
    let export =
        ["export", "--tenant", "contoso.onmicrosoft.com", "--sandbox", "tenant.json", "--out-dir", "."];
    assert_eq!(run(&export).code, 1);
    for path in &kept {
        assert_eq!(fs::read_to_string(path).unwrap(), "\"hunter2\"");
    }
    assert!(!outside.path().join("new.json").exists());
    // Symlinks within the repository are allowed, and so is every path named by the user.
    let elsewhere = outside.path().join("new.json");
    for out in ["inside.json", elsewhere.to_str().unwrap()] {
        let outcome = run(&["plan", "--sandbox", "tenant.json", "--out", out]);
        assert_eq!(outcome.code, 0, "{outcome}");
        assert_eq!(run(&["show", out]).code, 0, "{outcome}");
    }
    assert!(at.join("reports/plan.json").exists());
}
