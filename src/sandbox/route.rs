//! Which resource a path names.
//!
//! Owns the URL space of the emulator and what each version of Graph has in it; it must not know
//! the tenant.

use std::fmt;

use super::odata::Problem;
use super::query::percent_decode;
use crate::snapshot::{Kind, Step};

const CONFIGURATION: &str = "apiConnectorConfiguration";

/// A version of Graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Beta,
    V1,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Beta => "beta",
            Self::V1 => "v1.0",
        })
    }
}

impl Version {
    /// Finds the step of a name.
    ///
    /// Errors (400) when this version has no such step: v1.0 lacks the one before the token.
    pub(super) fn step(self, name: &str) -> Result<Step, Problem> {
        Step::from_name(name)
            .filter(|step| self == Self::Beta || *step != Step::PreTokenIssuance)
            .ok_or_else(|| no_segment(name))
    }

    /// Finds the kind of flows of a collection; v1.0 has the one of workforce tenants only.
    fn kind(self, collection: &str) -> Result<Kind, Problem> {
        match (self, collection) {
            (_, "b2xUserFlows") => Ok(Kind::B2x),
            (Self::Beta, "b2cUserFlows") => Ok(Kind::B2c),
            _ => Err(no_segment(collection)),
        }
    }
}

/// A resource, with ids as the client wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource {
    /// All connectors.
    Connectors,
    /// The connector of an id.
    Connector(String),
    /// All flows of a kind.
    Flows(Kind),
    /// The flow of an id.
    Flow(Kind, String),
    /// The connectors that a flow calls.
    Configuration(Kind, String),
    /// The reference from a flow's step to its connector.
    Reference(Kind, String, Step),
}

impl Resource {
    /// Gives the one method that the emulator has for the resource.
    pub(super) fn method(&self) -> &'static str {
        match self {
            Self::Reference(..) => "PUT",
            _ => "GET",
        }
    }

    /// Gives the kind of the flows that the resource belongs to.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Connectors | Self::Connector(_) => None,
            Self::Flows(kind)
            | Self::Flow(kind, _)
            | Self::Configuration(kind, _)
            | Self::Reference(kind, ..) => Some(*kind),
        }
    }
}

/// A version and a resource in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) version: Version,
    pub(super) resource: Resource,
}

impl Route {
    /// Reads a percent-encoded path.
    ///
    /// Errors: 404 outside `/{version}/identity`, 400 on an unknown segment within.
    pub(super) fn parse(path: &str) -> Result<Self, Problem> {
        let segments = segments(path)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (version, rest) = match segments.as_slice() {
            ["beta", rest @ ..] => (Version::Beta, rest),
            ["v1.0", rest @ ..] => (Version::V1, rest),
            _ => return Err(nothing_at(path)),
        };
        let resource = match rest {
            ["$batch"] => return Err(Problem::bad_request("a batch cannot hold another batch")),
            ["identity", rest @ ..] => resource(version, rest)?,
            _ => return Err(nothing_at(path)),
        };
        Ok(Self { version, resource })
    }
}

/// Whether the path is the one for batches of requests.
pub(super) fn is_batch(path: &str) -> bool {
    segments(path).is_ok_and(|segments| {
        matches!(segments.as_slice(), [version, batch]
            if (version == "beta" || version == "v1.0") && batch == "$batch")
    })
}

fn resource(version: Version, segments: &[&str]) -> Result<Resource, Problem> {
    if segments.contains(&"") {
        return Err(Problem::bad_request("a segment of the path is empty"));
    }
    let (collection, rest) = segments.split_first().ok_or_else(|| nothing_at("/identity"))?;
    if *collection == "apiConnectors" {
        return match rest {
            [] => Ok(Resource::Connectors),
            [id] => Ok(Resource::Connector((*id).to_owned())),
            [_, unknown, ..] => Err(no_segment(unknown)),
        };
    }
    let kind = version.kind(collection)?;
    match rest {
        [] => Ok(Resource::Flows(kind)),
        [id] => Ok(Resource::Flow(kind, (*id).to_owned())),
        [id, CONFIGURATION] => Ok(Resource::Configuration(kind, (*id).to_owned())),
        [id, CONFIGURATION, step, "$ref"] => {
            Ok(Resource::Reference(kind, (*id).to_owned(), version.step(step)?))
        }
        [_, CONFIGURATION, rest @ ..] => Err(no_segment(&rest.join("/"))),
        [_, unknown, ..] => Err(no_segment(unknown)),
    }
}

/// Splits before decoding, so that an encoded slash stays part of its segment.
fn segments(path: &str) -> Result<Vec<String>, Problem> {
    path.trim_start_matches('/').split('/').map(percent_decode).collect()
}

fn no_segment(name: &str) -> Problem {
    Problem::bad_request(format!("the path has no segment '{name}' here"))
}

fn nothing_at(path: &str) -> Problem {
    Problem::new(404, "ResourceNotFound", format!("there is nothing at '{path}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Result<(Version, Resource), u16> {
        match Route::parse(path) {
            Ok(Route { version, resource }) => Ok((version, resource)),
            Err(problem) => Err(problem.status),
        }
    }

    #[test]
    fn paths_name_resources() {
        use Kind::{B2c, B2x};
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
    fn other_paths_are_refused() {
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
    fn batches_have_a_path_in_each_version() {
        for (path, expected) in
            [("/beta/$batch", true), ("/v1.0/%24batch", true), ("/$batch", false), ("/v2/$batch", false)]
        {
            assert_eq!(is_batch(path), expected, "{path}");
        }
    }
}
