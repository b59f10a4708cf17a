//! Labels of runs: markers of comments, and metrics of several runs in one folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use flowbind::apply::Report;
use flowbind::diagnostic::{Code, Diagnostic};
use flowbind::drift::{self, Drift};
use flowbind::model::{Label, Tenant};
use flowbind::plan::{Plan, Shard, ShardInfo};
use flowbind::render::{Document, Format, approval_question};
use flowbind::saved::{self, Saved};
use proptest::prelude::*;
use proptest::sample::select;
use pulldown_cmark::{Event, Parser, TagEnd};

use crate::support::package;

const AT: &str = "2026-11-02T08:00:00Z";

/// Returns the plans of all case folders.
fn saved_plans() -> Vec<Plan> {
    let folders = fs::read_dir(package("tests/cases")).unwrap();
    let mut paths: Vec<_> = folders.map(|folder| folder.unwrap().path().join("plan.json")).collect();
    paths.sort();
    let plans = paths.iter().map(|path| match saved::read(&fs::read_to_string(path).unwrap()) {
        Ok(Saved::Plan(plan, _)) => plan,
        other => panic!("{}: {other:?}", path.display()),
    });
    plans.collect()
}

/// Run whose metrics are written to a file.
#[derive(Debug, Clone)]
struct FileOfRun {
    command: &'static str,
    label: Option<Label>,
    tenant: Tenant,
    samples: String,
}

/// Renders what a command has of a plan.
fn render(command: &str, plan: Plan, format: Format) -> String {
    let options =
        drift::Options { strict: false, now: AT.parse().unwrap(), graph_url: None, sandbox: &|_| None };
    let (drift, report): (Drift, Report);
    let document = match command {
        "plan" => Document::Plan(&plan),
        "drift" => {
            drift = drift::find_drift(plan, &options);
            Document::Drift(&drift)
        }
        _ => {
            report = Report::not_attempted(&plan);
            Document::Report(&report)
        }
    };
    document.render(format, AT).unwrap()
}

fn file_of_run(plan: &Plan, command: &'static str, label: Option<Label>, tenant: Tenant) -> FileOfRun {
    let mut plan = Plan { label: label.clone(), ..plan.clone() };
    for of_tenant in &mut plan.tenants {
        of_tenant.tenant = tenant.clone();
        of_tenant.targets.iter_mut().for_each(|target| target.tenant = tenant.clone());
    }
    FileOfRun { command, label, tenant, samples: render(command, plan, Format::Prom) }
}

fn any_file() -> impl Strategy<Value = FileOfRun> {
    let labels = prop_oneof![
        Just(None),
        select(vec!["prod", "test"]).prop_map(|label| Some(label.parse().unwrap())),
        "[A-Za-z0-9._-]{1,64}".prop_map(|label| Some(label.parse().unwrap())),
    ];
    let tenants = select(vec!["contoso.onmicrosoft.com", "fabrikam.onmicrosoft.com"]);
    let parts = (select(saved_plans()), select(vec!["plan", "drift", "apply"]), labels, tenants);
    parts.prop_map(|(plan, command, label, tenant)| {
        file_of_run(&plan, command, label, tenant.parse().unwrap())
    })
}

/// Returns the series of a file, and the help text and type of each metric.
fn series(samples: &str) -> (BTreeSet<&str>, BTreeMap<&str, &str>) {
    let (comments, samples): (Vec<_>, Vec<_>) = samples.lines().partition(|line| line.starts_with('#'));
    let comments = comments.iter().map(|line| {
        let (metric, text) = line.match_indices(' ').nth(2).map(|(at, _)| line.split_at(at)).unwrap();
        (metric, text)
    });
    let series: BTreeSet<_> = samples.iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(series.len(), samples.len(), "a series occurs twice");
    (series, comments.collect())
}

proptest! {
    /// A collector reads the files of a folder as one, and rejects all of them for one series that occurs twice, or for
    /// two help texts of one metric.
    #[test]
    fn metrics_of_runs_with_another_command_label_or_tenant_have_no_common_series(
        one in any_file(),
        other in any_file(),
    ) {
        let key = |file: &FileOfRun| (file.command, file.label.clone(), file.tenant.clone());
        let ((series_of_one, help), (series_of_other, other_help)) =
            (series(&one.samples), series(&other.samples));
        let common: Vec<_> = series_of_one.intersection(&series_of_other).collect();
        prop_assert_eq!(common.is_empty(), key(&one) != key(&other), "{:?}", common);
        for (metric, text) in help {
            prop_assert_eq!(*other_help.get(metric).unwrap_or(&text), text);
        }
    }
}

/// Invalid files are the same for every shard, and no shard then has a tenant.
#[test]
fn metrics_of_shards_without_tenants_have_no_common_series() {
    let shard = |number, errors| {
        let info = ShardInfo { shard: Shard::new(number, 2).unwrap(), fleet: Vec::new() };
        Plan { errors, shard: Some(info), ..Plan::default() }
    };
    let error = || vec![Diagnostic::error(Code::InvalidValue, "invalid")];
    for command in ["plan", "drift", "apply"] {
        let mut report = Report::not_attempted(&shard(1, error()));
        report.exit_code = 1;
        let [one, other] = [1, 2].map(|number| match command {
            "apply" => {
                let report = Report { shard: shard(number, Vec::new()).shard, ..report.clone() };
                Document::Report(&report).render(Format::Prom, AT).unwrap()
            }
            command => render(command, shard(number, error()), Format::Prom),
        });
        assert!(one.contains("flowbind_last_run_success{shard=\"1/2\",command="), "{one}");
        assert!(series(&one).0.is_disjoint(&series(&other).0), "{one}\n{other}");
        // A shard without a tenant that has no error has nothing to report.
        if command != "apply" {
            assert_eq!(render(command, shard(1, Vec::new()), Format::Prom), "");
        }
    }
}

#[test]
fn question_of_a_labeled_run_names_the_label() {
    let plan = saved_plans().into_iter().find(Plan::has_changes).unwrap();
    let tenants: Vec<_> = plan.tenants.iter().collect();
    let question = |label: Option<&Label>| approval_question(&tenants, label);
    let label = "prod".parse().unwrap();
    assert_eq!(question(Some(&label)), question(None).replace('?', " (prod)?"));
    assert!(question(Some(&label)).ends_with(" to contoso.onmicrosoft.com (prod)?"), "{}", question(None));
}

#[test]
fn label_with_other_characters_or_length_is_invalid() {
    for valid in ["prod", "eu-west.1_B", "-", &"a".repeat(64)] {
        assert_eq!(valid.parse::<Label>().unwrap().to_string(), valid);
    }
    for invalid in ["", " ", "a b", "a/b", "a:b", "é", "a\n", "a>", "!--", &"a".repeat(65)] {
        assert!(invalid.parse::<Label>().is_err(), "{invalid:?}");
    }
}

/// HTML has `--` in comments, and ends them with `-->`.
#[test]
fn marker_with_any_label_is_an_invisible_comment() {
    let plan = saved_plans().remove(0);
    for label in ["prod", "a--b", "a-", "a--", "-", "--", "-.-", "---"] {
        let label: Label = label.parse().unwrap();
        for command in ["plan", "drift", "report"] {
            let comment =
                render(command, Plan { label: Some(label.clone()), ..plan.clone() }, Format::Markdown);
            let (mut html, mut title) = (String::new(), String::new());
            for event in Parser::new(&comment) {
                match event {
                    Event::Html(part) if title.is_empty() => html.push_str(&part),
                    Event::Text(part) => title.push_str(&part),
                    Event::End(TagEnd::Heading(_)) => break,
                    _ => {}
                }
            }
            let page = scraper::Html::parse_fragment(&html);
            let nodes: Vec<_> = page.tree.values().filter_map(|node| node.as_comment()).collect();
            let [only] = nodes.as_slice() else { panic!("{comment}") };
            assert_eq!(&*only.comment, format!(" flowbind:{command}:{label} "), "{comment}");
            assert_eq!(page.root_element().text().collect::<String>().trim(), "", "{comment}");
            assert!(title.contains(&format!(" ({label})")), "{title}");
        }
    }
}
