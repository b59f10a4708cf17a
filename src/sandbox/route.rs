//! Routing: parses a path into a Graph version and a resource.
//!
//! Defines the URLs of the emulator and the resources of each Graph version. It must not depend on
//! the tenant.

use strum::{Display, EnumString};

use super::error::ErrorResponse;
use super::percent::percent_decode;
use crate::snapshot::{FlowKind, Step};

const CONFIGURATION: &str = "apiConnectorConfiguration";

/// Version of Graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString)]
pub(super) enum Version {
    #[strum(serialize = "beta")]
    Beta,
    #[strum(serialize = "v1.0")]
    V1,
}

impl Version {
    /// Parses the name of a step.
    ///
    /// # Errors
    /// 400 if this version does not have the step: v1.0 lacks `preTokenIssuance`.
    pub(super) fn parse_step(self, name: &str) -> Result<Step, ErrorResponse> {
        name.parse()
            .ok()
            .filter(|step| self == Self::Beta || *step != Step::PreTokenIssuance)
            .ok_or_else(|| unknown_segment(name))
    }
}

/// Resource of the emulator. Ids keep the spelling of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource {
    /// All connectors.
    Connectors,
    /// One connector, by id.
    Connector(String),
    /// All flows of a kind.
    Flows(FlowKind),
    /// One flow, by id.
    Flow(FlowKind, String),
    /// Connector configuration of a flow.
    Configuration(FlowKind, String),
    /// Reference from a step of a flow to its connector.
    Reference(FlowKind, String, Step),
}

impl Resource {
    /// Returns the one method that the emulator supports for the resource.
    pub(super) fn method(&self) -> &'static str {
        match self {
            Self::Reference(..) => "PUT",
            _ => "GET",
        }
    }

    /// Returns the kind of flows that the resource belongs to; `None` for connectors.
    pub(super) fn flow_kind(&self) -> Option<FlowKind> {
        match self {
            Self::Connectors | Self::Connector(_) => None,
            Self::Flows(kind)
            | Self::Flow(kind, _)
            | Self::Configuration(kind, _)
            | Self::Reference(kind, ..) => Some(*kind),
        }
    }
}

/// Graph version and resource of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) version: Version,
    pub(super) resource: Resource,
}

impl Route {
    /// Parses a percent-encoded path.
    ///
    /// # Errors
    /// 404 outside `/{version}/identity`, 400 for an unknown segment below it.
    pub(super) fn parse(path: &str) -> Result<Self, ErrorResponse> {
        let segments = decode_segments(path)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (version, rest) = segments.split_first().ok_or_else(|| unknown_path(path))?;
        let version = version.parse::<Version>().map_err(|_| unknown_path(path))?;
        let resource = match rest {
            ["$batch"] => return Err(ErrorResponse::bad_request("a batch must not contain a batch")),
            ["identity", rest @ ..] => parse_resource(version, rest)?,
            _ => return Err(unknown_path(path)),
        };
        Ok(Self { version, resource })
    }
}

/// Returns whether the path is the `$batch` endpoint of beta or v1.0.
pub(super) fn is_batch(path: &str) -> bool {
    decode_segments(path).is_ok_and(|segments| {
        matches!(segments.as_slice(), [version, batch] if version.parse::<Version>().is_ok() && batch == "$batch")
    })
}

fn parse_resource(version: Version, segments: &[&str]) -> Result<Resource, ErrorResponse> {
    if segments.contains(&"") {
        return Err(ErrorResponse::bad_request("the path has an empty segment"));
    }
    let (collection, rest) = segments.split_first().ok_or_else(|| unknown_path("/identity"))?;
    if *collection == "apiConnectors" {
        return match rest {
            [] => Ok(Resource::Connectors),
            [id] => Ok(Resource::Connector((*id).to_owned())),
            [_, unknown, ..] => Err(unknown_segment(unknown)),
        };
    }
    // v1.0 has only the flows of workforce tenants.
    let kind = match (version, *collection) {
        (_, "b2xUserFlows") => FlowKind::B2x,
        (Version::Beta, "b2cUserFlows") => FlowKind::B2c,
        _ => return Err(unknown_segment(collection)),
    };
    match rest {
        [] => Ok(Resource::Flows(kind)),
        [id] => Ok(Resource::Flow(kind, (*id).to_owned())),
        [id, CONFIGURATION] => Ok(Resource::Configuration(kind, (*id).to_owned())),
        [id, CONFIGURATION, step, "$ref"] => {
            Ok(Resource::Reference(kind, (*id).to_owned(), version.parse_step(step)?))
        }
        [_, CONFIGURATION, rest @ ..] => Err(unknown_segment(&rest.join("/"))),
        [_, unknown, ..] => Err(unknown_segment(unknown)),
    }
}

/// Splits a path into decoded segments. An encoded slash stays part of its segment.
fn decode_segments(path: &str) -> Result<Vec<String>, ErrorResponse> {
    path.trim_start_matches('/').split('/').map(percent_decode).collect()
}

fn unknown_segment(name: &str) -> ErrorResponse {
    ErrorResponse::bad_request(format!("unknown path segment '{name}'"))
}

fn unknown_path(path: &str) -> ErrorResponse {
    ErrorResponse::new(404, "ResourceNotFound", format!("no resource at '{path}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Result<(Version, Resource), u16> {
        match Route::parse(path) {
            Ok(Route { version, resource }) => Ok((version, resource)),
            Err(error) => Err(error.status),
        }
    }

    #[test]
    fn parse_with_a_known_path_returns_the_resource() {
        use FlowKind::{B2c, B2x};
        use Resource::{Configuration, Connector, Connectors, Flow, Flows, Reference};
        use Version::{Beta, V1};
        for (path, version, resource) in [
            ("/v1.0/identity/apiConnectors", V1, Connectors),
            ("/beta/identity/apiConnectors/a%20b", Beta, Connector("a b".into())),
            ("/beta/identity/b2cUserFlows", Beta, Flows(B2c)),
            ("/v1.0/identity/b2xUserFlows", V1, Flows(B2x)),
            ("/beta/identity/b2xUserFlows/f%2Fg", Beta, Flow(B2x, "f/g".into())),
            ("/beta/identity/b2xUserFlows/f/apiConnectorConfiguration", Beta, Configuration(B2x, "f".into())),
            (
                "/beta/identity/b2xUserFlows/f/apiConnectorConfiguration/preTokenIssuance/%24ref",
                Beta,
                Reference(B2x, "f".into(), Step::PreTokenIssuance),
            ),
        ] {
            assert_eq!(parse(path), Ok((version, resource)), "{path}");
        }
    }

    #[test]
    fn parse_with_an_unknown_path_fails() {
        for (path, status) in [
            ("/", 404),
            ("/v2.0/identity/apiConnectors", 404),
            ("/beta", 404),
            ("/beta/users", 404),
            ("/beta/identity", 404),
            ("/beta/identity/apiConnectors/", 400),
            ("/beta/identity/apiConnectors/a/b", 400),
            ("/beta/identity/userFlows", 400),
            ("/beta/identity/b2xUserFlows/f/languages", 400),
            ("/beta/identity/b2xUserFlows/f/apiConnectorConfiguration/postFederationSignup", 400),
            ("/beta/identity/b2xUserFlows/f/apiConnectorConfiguration/other/$ref", 400),
            ("/beta/%zz", 400),
            ("/v1.0/identity/b2cUserFlows", 400),
            ("/v1.0/identity/b2xUserFlows/f/apiConnectorConfiguration/preTokenIssuance/$ref", 400),
            ("/beta/$batch", 400),
        ] {
            assert_eq!(parse(path), Err(status), "{path}");
        }
    }

    #[test]
    fn is_batch_accepts_the_endpoint_of_each_version() {
        for (path, expected) in
            [("/beta/$batch", true), ("/v1.0/%24batch", true), ("/$batch", false), ("/v2/$batch", false)]
        {
            assert_eq!(is_batch(path), expected, "{path}");
        }
    }
}
