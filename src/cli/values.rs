//! Values on the command line, each with a message that says what would be right.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::auth::Kind;
use crate::http::Rate;
use crate::model::{Api, Cloud, FlowId, Step};
use crate::plan::Shard;
use crate::render::Format;

/// A whole number from 1.
pub(super) fn positive(text: &str) -> Result<NonZeroU32, &'static str> {
    text.parse().map_err(|_| "it must be a whole number from 1")
}

/// Whole seconds from 1.
pub(super) fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds: NonZeroU32 = text.parse().map_err(|_| "it must be a whole number of seconds from 1")?;
    Ok(Duration::from_secs(seconds.get().into()))
}

/// Whole milliseconds from 0.
pub(super) fn milliseconds(text: &str) -> Result<Duration, &'static str> {
    let milliseconds: u32 = text.parse().map_err(|_| "it must be a whole number of milliseconds")?;
    Ok(Duration::from_millis(milliseconds.into()))
}

/// So many requests in so many seconds.
pub(super) fn rate(text: &str) -> Result<Rate, &'static str> {
    let wrong = "it must be a number of requests and of seconds, both from 1, such as 200/60";
    let (requests, per) = text.split_once('/').ok_or(wrong)?;
    Ok(Rate { requests: positive(requests).map_err(|_| wrong)?, per: seconds(per).map_err(|_| wrong)? })
}

/// The K-th of N parts of a fleet.
pub(super) fn shard(text: &str) -> Result<Shard, &'static str> {
    let numbers =
        text.split_once('/').and_then(|(number, of)| Some((positive(number).ok()?, positive(of).ok()?)));
    let shard = numbers.and_then(|(number, of)| Shard::new(number.get(), of.get()));
    shard.ok_or("it must be K/N, the K-th of N parts, such as 2/5: K from 1 to N, N to 10000")
}

/// A share from 0 to 1.
pub(super) fn share(text: &str) -> Result<f64, &'static str> {
    let share: Option<f64> = text.parse().ok();
    share.filter(|share| (0.0..=1.0).contains(share)).ok_or("it must be a share from 0 to 1, such as 0.1")
}

/// A national cloud.
pub(super) fn cloud() -> impl TypedValueParser<Value = Cloud> {
    named(&Cloud::ALL, Cloud::name)
}

/// A version of Graph.
pub(super) fn api() -> impl TypedValueParser<Value = Api> {
    named(&Api::ALL, Api::name)
}

/// A format of a plan or a report.
pub(super) fn format() -> impl TypedValueParser<Value = Format> {
    named(&Format::ALL, Format::name)
}

/// A kind of credential.
pub(super) fn kind() -> impl TypedValueParser<Value = Kind> {
    named(&Kind::ALL, Kind::name)
}

/// A step.
pub(super) fn step() -> impl TypedValueParser<Value = Step> {
    named(&Step::ALL, Step::name)
}

/// One of several values by its name, which help and completions list.
fn named<T: Copy + Send + Sync + 'static>(
    all: &'static [T],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let of_name = move |text: String| {
        let found = all.iter().copied().find(|value| name(*value) == text);
        found.ok_or("it is none of the possible values")
    };
    PossibleValuesParser::new(all.iter().map(|value| name(*value))).try_map(of_name)
}

/// A binding, as `FLOW/STEP`.
pub(super) fn binding(text: &str) -> Result<(FlowId, Step), String> {
    let (flow, step) =
        text.rsplit_once('/').ok_or("it must be FLOW/STEP, such as B2C_1_signup/postFederationSignup")?;
    let flow = FlowId::parse(flow).map_err(|error| format!("`{flow}` is no user flow's id: {error}"))?;
    let known = || Step::ALL.map(Step::name).join(", ");
    let step =
        Step::from_name(step).ok_or_else(|| format!("`{step}` is no step; the steps are {}", known()))?;
    Ok((flow, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_of_ours_is_refused() {
        for bad in ["", "0", "-1", "1.5", "x", "99999999999", " 1", "1e3"] {
            assert!(positive(bad).is_err(), "{bad:?}");
            assert!(seconds(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "200", "/60", "200/", "0/60", "200/0", "200/60/2", "-1/60", "a/b"] {
            assert!(rate(bad).is_err(), "{bad:?}");
        }
        for bad in
            ["", "0/3", "4/3", "1/0", "3", "1/", "/3", "1/3/3", "-1/3", "a/b", " 1/3", "1.0/3", "1/10001"]
        {
            assert!(shard(bad).is_err(), "{bad:?}");
        }
        assert_eq!(shard("3/3").unwrap().to_string(), "3/3");
        for bad in ["", "-0.1", "1.1", "NaN", "inf", "x"] {
            assert!(share(bad).is_err(), "{bad:?}");
        }
        assert_eq!(rate("200/60").unwrap().requests.get(), 200);
    }
}
