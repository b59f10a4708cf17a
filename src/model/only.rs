//! Selection of bindings by the user.

use std::fmt;
use std::str::FromStr;

use super::id::{FlowId, FlowKey};
use super::names::names;
use super::step::Step;

/// Flow, or one binding of it, that the user selected with `--only`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Only {
    /// The flow, in any letter case.
    pub flow: FlowId,
    /// The step; `None` for all steps of the flow.
    pub step: Option<Step>,
}

impl Only {
    /// Returns whether a binding is selected.
    pub fn contains(&self, flow: &FlowId, step: Step) -> bool {
        FlowKey::from(&self.flow) == FlowKey::from(flow) && self.step.is_none_or(|selected| selected == step)
    }
}

impl fmt::Display for Only {
    /// Writes `FLOW` or `FLOW/STEP`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some(step) => write!(f, "{}/{step}", self.flow),
            None => write!(f, "{}", self.flow),
        }
    }
}

impl FromStr for Only {
    type Err = String;

    /// Parses `FLOW` or `FLOW/STEP`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (flow, step) = text.split_once('/').map_or((text, None), |(flow, step)| (flow, Some(step)));
        let flow = FlowId::parse(flow).map_err(|error| format!("invalid flow id `{flow}`: {error}"))?;
        let known = || names::<Step>().join(", ");
        let unknown = |step| format!("unknown step `{step}`; the steps are {}", known());
        let step = step.map(|step| step.parse().map_err(|_| unknown(step))).transpose()?;
        Ok(Self { flow, step })
    }
}
