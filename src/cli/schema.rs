//! `schema`: prints the JSON Schemas of `schemas/`.

use clap::{Args, ValueEnum};

use crate::exit::Exit;
use crate::output;
use crate::run::CommandError;
use crate::terminal;

#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Format that the schema describes
    name: Name,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// Desired-state file
    Desired,
    /// Saved plan
    Plan,
    /// Saved output of `drift`
    Drift,
    /// Saved report of an apply
    Report,
    /// Output of `compare`
    Comparison,
    /// Snapshot of a tenant, for `--sandbox`
    Snapshot,
}

pub(super) fn run(args: &SchemaArgs) -> Result<Exit, CommandError> {
    let schema = match args.name {
        Name::Desired => include_str!("../../schemas/desired.schema.json"),
        Name::Plan => include_str!("../../schemas/plan.schema.json"),
        Name::Drift => include_str!("../../schemas/drift.schema.json"),
        Name::Report => include_str!("../../schemas/report.schema.json"),
        Name::Comparison => include_str!("../../schemas/comparison.schema.json"),
        Name::Snapshot => include_str!("../../schemas/snapshot.schema.json"),
    };
    terminal::print(schema).map_err(output::stdout_error)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use crate::{saved, snapshot};

    /// The other schema, of desired-state files, is written by hand; a test of `desired::keys` compares it.
    #[test]
    fn schemas_of_json_files_equal_those_of_the_types() {
        let text = |schema| serde_json::to_string_pretty(&schema).unwrap() + "\n";
        expect_file!["../../schemas/plan.schema.json"].assert_eq(&text(saved::plan::json_schema()));
        expect_file!["../../schemas/drift.schema.json"].assert_eq(&text(saved::drift::json_schema()));
        expect_file!["../../schemas/report.schema.json"].assert_eq(&text(saved::report::json_schema()));
        expect_file!["../../schemas/comparison.schema.json"]
            .assert_eq(&text(saved::comparison::json_schema()));
        expect_file!["../../schemas/snapshot.schema.json"].assert_eq(&text(snapshot::json_schema()));
    }
}
