//! Parsers of option values. Each error names what is expected.

use std::ffi::OsStr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{
    OsStringValueParser, PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser,
};
use strum::VariantArray as _;

use crate::auth::Kind;
use crate::diagnostic::Code;
use crate::model::{Api, Cloud, Purpose, Step};
use crate::output::OutPath;
use crate::render::Format;

/// Parses an integer from 1.
pub(super) fn parse_positive(text: &str) -> Result<NonZeroU32, &'static str> {
    text.parse().map_err(|_| "expected an integer from 1")
}

/// Parses a duration from 1 s: an integer with the unit `s`, `m` or `h`; without a unit, seconds.
pub(super) fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    const UNITS: [(char, u32); 3] = [('s', 1), ('m', 60), ('h', 3600)];
    let in_unit = |(unit, factor): (char, u32)| Some((text.strip_suffix(unit)?, factor));
    let (number, factor) = UNITS.into_iter().find_map(in_unit).unwrap_or((text, 1));
    let seconds = parse_positive(number).ok().and_then(|number| number.get().checked_mul(factor));
    let seconds = seconds.ok_or("expected a duration from 1 s, such as 90s, 10m or 1h")?;
    Ok(Duration::from_secs(seconds.into()))
}

/// Parses an integer of milliseconds from 0.
pub(super) fn parse_milliseconds(text: &str) -> Result<Duration, &'static str> {
    let milliseconds: u32 = text.parse().map_err(|_| "expected an integer of milliseconds from 0")?;
    Ok(Duration::from_millis(milliseconds.into()))
}

/// Parses a share from 0 to 1.
pub(super) fn parse_share(text: &str) -> Result<f64, &'static str> {
    let share: Option<f64> = text.parse().ok();
    share.filter(|share| (0.0..=1.0).contains(share)).ok_or("expected a share from 0 to 1, such as 0.1")
}

/// Returns the parser of a national cloud.
pub(super) fn cloud_parser() -> impl TypedValueParser<Value = Cloud> {
    named(Cloud::VARIANTS, |cloud| PossibleValue::new(cloud.name()))
}

/// Returns the parser of a version of Graph.
pub(super) fn api_parser() -> impl TypedValueParser<Value = Api> {
    named(Api::VARIANTS, |api| PossibleValue::new(api.name()))
}

/// Returns the parser of an output format.
pub(super) fn format_parser() -> impl TypedValueParser<Value = Format> {
    let help = |format| match format {
        Format::Text => "Text for a terminal",
        Format::Json => "JSON for programs; `apply --plan` and `show` read it",
        Format::Markdown => "Comment on a pull request",
        Format::Diff => "Unified diff of current and desired bindings",
        Format::Github => "Workflow commands of GitHub Actions: annotations, job summary and step outputs",
        Format::Junit => "JUnit test suite for the test report of a pipeline",
        Format::Html => "Page for readers without YAML",
        Format::Prom => "Metrics for the textfile collector of Prometheus' node exporter",
    };
    named(Format::VARIANTS, move |format| PossibleValue::new(format.name()).help(help(format)))
}

/// Formats of a comparison.
pub(super) const COMPARISON_FORMATS: &[Format] = &[Format::Text, Format::Json, Format::Markdown];

/// Returns the parser of the format of a comparison.
pub(super) fn comparison_format_parser() -> impl TypedValueParser<Value = Format> {
    named(COMPARISON_FORMATS, |format| PossibleValue::new(format.name()))
}

/// Returns the parser of an output file in one of `formats`.
pub(super) fn out_parser(formats: &'static [Format]) -> impl TypedValueParser<Value = OutPath> {
    OsStringValueParser::new().try_map(move |path| OutPath::parse(path.into(), formats))
}

/// Returns the parser of a path to which an export is written. Without the option, an export goes to stdout.
pub(super) fn export_parser() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|path| match path.to_str() {
        Some("-") => Err("to write to stdout, leave the option out"),
        Some("") => Err("the path is empty"),
        _ => Ok(PathBuf::from(path)),
    })
}

/// Returns the parser of a kind of credential.
pub(super) fn kind_parser() -> impl TypedValueParser<Value = Kind> {
    let help = |kind| match kind {
        Kind::AccessToken => "Access token for Microsoft Graph",
        Kind::ClientSecret => "Secret of the app",
        Kind::ClientCertificate => "Certificate of the app",
        Kind::FederatedToken => "Token file of another issuer that the app trusts, such as Kubernetes",
        Kind::GithubOidc => "Token of a GitHub Actions job with `id-token: write`",
        Kind::AzurePipelinesOidc => "Token of a service connection of Azure Pipelines",
        Kind::ManagedIdentity => "Identity of the Azure resource that runs flowbind",
        Kind::AzureCli => "Account that is signed in to the Azure CLI",
    };
    named(<Kind as strum::VariantArray>::VARIANTS, move |kind| {
        PossibleValue::new(kind.name()).help(help(kind))
    })
}

/// Returns the parser of a command for `whoami --for`.
pub(super) fn purpose_parser() -> impl TypedValueParser<Value = Purpose> {
    named(Purpose::VARIANTS, |purpose| PossibleValue::new(<&str>::from(purpose)))
}

/// Returns the parser of a step.
pub(super) fn step_parser() -> impl TypedValueParser<Value = Step> {
    named(Step::VARIANTS, |step| PossibleValue::new(step.name()))
}

/// Returns the parser of a value with a name. Help and completions list the names.
fn named<T: Copy + Send + Sync + 'static>(
    all: &'static [T],
    possible_value: impl Fn(T) -> PossibleValue + Clone + Send + Sync + 'static,
) -> impl TypedValueParser<Value = T> {
    let possible_values: Vec<_> = all.iter().map(|value| possible_value(*value)).collect();
    PossibleValuesParser::new(possible_values).try_map(move |name: String| {
        let found = all.iter().copied().find(|value| possible_value(*value).get_name() == name);
        found.ok_or("expected one of the possible values")
    })
}

/// Parser of the id of a problem. It accepts any text, so that the command can suggest ids; completions offer the ids.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProblemId;

impl TypedValueParser for ProblemId {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let value = |code: &Code| PossibleValue::new(code.id()).help(code.explanation().title);
        Some(Box::new(Code::VARIANTS.iter().map(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_has_an_optional_unit() {
        for (text, seconds) in [("1", 1), ("90", 90), ("60s", 60), ("10m", 600), ("2h", 7200)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["0s", "m", "1d", "10ms", "1h30m", "10 m", "10M", "4294967295h", "-1s"] {
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn invalid_number_is_rejected() {
        for bad in ["", "0", "-1", "1.5", "x", "99999999999", " 1", "1e3"] {
            assert!(parse_positive(bad).is_err(), "{bad:?}");
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "-0.1", "1.1", "NaN", "inf", "x"] {
            assert!(parse_share(bad).is_err(), "{bad:?}");
        }
    }
}
