//! Tests of the responses of the tenant.

use serde_json::json;

use super::*;

const ORIGIN: &str = "http://127.0.0.1:1";
const B2C: &str = "/beta/identity/b2cUserFlows";
const A: &str = "/beta/identity/b2cUserFlows/B2C_1_a/apiConnectorConfiguration";

fn snapshot(prefix: &str) -> Snapshot {
    let json = json!({
        "formatVersion": "1", "tenant": "contoso", "cloud": "global", "takenAt": "",
        "connectors": [
            { "id": "c1", "displayName": "One", "targetUrl": "https://u:p@one.test/x?code=k" },
            { "id": "c2", "displayName": null, "targetUrl": null, "certificates": [
                { "notBefore": "1970-01-01T00:00:01Z", "notAfter": "1970-01-01T00:01:00Z", "isActive": true },
            ] },
        ],
        "flows": [
            { "id": format!("{prefix}a"), "userFlowType": "signUp", "userFlowTypeVersion": 1,
              "bindings": { "postFederationSignup": "C1", "postAttributeCollection": "deleted" } },
            { "id": format!("{prefix}b"), "userFlowType": "signIn", "userFlowTypeVersion": 1.1, "bindings": {} },
        ],
    });
    Snapshot::parse(&json.to_string()).unwrap()
}

fn tenant(prefix: &str) -> Tenant {
    tenant_with(prefix, Options::default())
}

fn tenant_with(prefix: &str, options: Options) -> Tenant {
    Tenant::new(snapshot(prefix), ORIGIN.to_owned(), &options)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn send(tenant: &mut Tenant, method: &str, target: &str, body: &str) -> Result<Value, (u16, &'static str)> {
    let response = tenant.handle(&Request::sample(method, target, body), at(0));
    match response {
        Ok(response) if response.status == 204 => Ok(Value::Null),
        Ok(response) => Ok(response.json_body()),
        Err(error) => Err((error.status, error.code)),
    }
}

fn get(target: &str) -> Result<Value, (u16, &'static str)> {
    send(&mut tenant("B2C_1_"), "GET", target, "")
}

fn put(tenant: &mut Tenant, step: &str, body: &str) -> Result<Value, (u16, &'static str)> {
    send(tenant, "PUT", &format!("{A}/{step}/$ref"), body)
}

fn to(connector: &str) -> String {
    format!(r#"{{"@odata.id":"https://graph.microsoft.com/beta/identity/apiConnectors/{connector}"}}"#)
}

fn one() -> Value {
    json!({
        "id": "c1", "displayName": "One", "targetUrl": "https://one.test/x",
        "authenticationConfiguration": {
            "@odata.type": "#microsoft.graph.basicAuthentication", "username": "sandbox", "password": "******" },
    })
}

#[test]
fn connectors_are_listed_and_found_regardless_of_case() {
    let list = get("/beta/identity/apiConnectors").unwrap();
    assert_eq!(list["@odata.context"], format!("{ORIGIN}/beta/$metadata#identity/apiConnectors"));
    assert_eq!(list["value"][0], one());
    let mut single = get("/v1.0/identity/apiConnectors/C1").unwrap();
    let context = single.as_object_mut().unwrap().remove("@odata.context");
    assert_eq!(context, Some(json!(format!("{ORIGIN}/v1.0/$metadata#identity/apiConnectors/$entity"))));
    assert_eq!(single, one());
}

#[test]
fn connector_with_certificates_lists_them_in_seconds() {
    let list = get("/beta/identity/apiConnectors").unwrap();
    let expected = json!({
        "@odata.type": "#microsoft.graph.clientCertificateAuthentication",
        "certificateList": [{ "thumbprint": null, "notBefore": 1, "notAfter": 60, "isActive": true }],
    });
    assert_eq!(list["value"][1]["authenticationConfiguration"], expected);
}

#[test]
fn flows_do_not_include_their_bindings() {
    let first = json!({
        "id": "B2C_1_a", "userFlowType": "signUp", "userFlowTypeVersion": 1, "apiConnectorConfiguration": {},
        "isLanguageCustomizationEnabled": false, "defaultLanguageTag": null,
    });
    assert_eq!(get(B2C).unwrap()["value"][0], first);
    assert_eq!(
        get(&format!("{B2C}/B2C_1_b?$select=userFlowTypeVersion")).unwrap(),
        json!({
            "@odata.context": format!("{ORIGIN}/beta/$metadata#identity/b2cUserFlows(userFlowTypeVersion)/$entity"),
            "userFlowTypeVersion": 1.1,
        })
    );
}

#[test]
fn configuration_includes_only_expanded_steps() {
    let context =
        format!("{ORIGIN}/beta/$metadata#identity/b2cUserFlows('B2C_1_a')/apiConnectorConfiguration");
    assert_eq!(get(A).unwrap(), json!({ "@odata.context": context }));
    assert_eq!(
        get(&format!("{A}?$expand=postFederationSignup,postAttributeCollection,preTokenIssuance")).unwrap(),
        json!({
            "@odata.context": format!("{context}(postFederationSignup(),postAttributeCollection(),preTokenIssuance())"),
            "postFederationSignup": one(),
            "postAttributeCollection": { "id": "deleted", "displayName": null, "targetUrl": null },
            "preTokenIssuance": null,
        })
    );
}

#[test]
fn put_of_a_reference_binds_and_of_an_empty_object_unbinds() {
    let mut tenant = tenant("B2C_1_");
    for (body, bound) in [(to("C2"), Some("c2")), ("{}".into(), None), (to("c1"), Some("c1"))] {
        assert_eq!(put(&mut tenant, "preTokenIssuance", &body), Ok(Value::Null));
        let binding = &tenant.snapshot().flows[0].bindings[&Step::PreTokenIssuance];
        assert_eq!(binding.as_deref(), bound, "{body}");
    }
}

#[test]
fn put_that_is_rejected_changes_nothing() {
    for (step, body, expected) in [
        ("postFederationSignup", to("nope"), (404, "AADB2C")),
        ("postFederationSignup", String::new(), (400, "Request_BadRequest")),
        ("postFederationSignup", r#"{"@odata.id":"c1"}"#.into(), (400, "BadRequest")),
        ("atSomeTime", to("c1"), (400, "BadRequest")),
    ] {
        let mut tenant = tenant("B2C_1_");
        assert_eq!(put(&mut tenant, step, &body), Err(expected), "{step} {body}");
        assert_eq!(tenant.snapshot(), &snapshot("B2C_1_"));
    }
}

#[test]
fn invalid_requests_return_the_error_of_graph() {
    for (method, target, expected) in [
        ("GET", "/beta/identity/apiConnectors/c3", (404, "AADB2C")),
        ("GET", "/beta/identity/b2cUserFlows/B2C_1_A", (404, "AADB2C")),
        ("GET", "/beta/identity/b2cUserFlows/B2C_1_z/apiConnectorConfiguration", (404, "AADB2C")),
        ("GET", "/beta/identity/b2xUserFlows", (403, "AADB2C")),
        ("GET", "/v1.0/identity/b2cUserFlows", (400, "BadRequest")),
        ("GET", "/beta/identity/apiConnectors?$filter=x", (400, "BadRequest")),
        ("GET", "/beta/identity/apiConnectors?$select=x", (400, "BadRequest")),
        ("GET", &format!("{A}?$expand=other"), (400, "BadRequest")),
        ("GET", &format!("{A}?$select=id"), (400, "BadRequest")),
        ("POST", "/beta/identity/apiConnectors", (405, "Request_BadRequest")),
        ("DELETE", &format!("{A}/postFederationSignup/$ref"), (405, "Request_BadRequest")),
        ("GET", "/beta/users", (404, "ResourceNotFound")),
    ] {
        assert_eq!(send(&mut tenant("B2C_1_"), method, target, ""), Err(expected), "{method} {target}");
    }
}

#[test]
fn requests_without_token_or_json_are_rejected() {
    let target = format!("{A}/postFederationSignup/$ref");
    let text = Request::sample("PUT", &target, "{}").with_header("content-type", "text/plain");
    let anonymous = Request::sample("GET", "/nowhere", "").with_header("authorization", "Bearer ");
    for (request, status, header) in [
        (text, 415, None),
        (anonymous, 401, Some("WWW-Authenticate")),
        (Request::sample("POST", &target, ""), 405, Some("Allow")),
    ] {
        let error = tenant("B2C_1_").handle(&request, at(0)).unwrap_err();
        assert_eq!((error.status, error.headers.first().map(|(name, _)| *name)), (status, header));
    }
}

#[test]
fn workforce_tenant_has_only_b2x_flows_in_both_versions() {
    let mut tenant = tenant("B2X_1_");
    let target = |version| format!("/{version}/identity/b2xUserFlows/B2X_1_a/apiConnectorConfiguration");
    let put = |tenant: &mut Tenant, version, step, connector: &str| {
        let body = format!(r#"{{"@odata.id":"{ORIGIN}/{version}/identity/apiConnectors/{connector}"}}"#);
        send(tenant, "PUT", &format!("{}/{step}/$ref", target(version)), &body)
    };
    assert_eq!(put(&mut tenant, "v1.0", "postFederationSignup", "c2"), Ok(Value::Null));
    assert_eq!(put(&mut tenant, "beta", "preTokenIssuance", "c2"), Ok(Value::Null));
    assert_eq!(put(&mut tenant, "v1.0", "preTokenIssuance", "c2"), Err((400, "BadRequest")));
    let expand = format!("{}?$expand=preTokenIssuance", target("v1.0"));
    assert_eq!(send(&mut tenant, "GET", &expand, ""), Err((400, "BadRequest")));
    assert_eq!(send(&mut tenant, "GET", B2C, ""), Err((403, "AADB2C")));
}

#[test]
fn tenant_without_flows_is_b2c() {
    let mut empty = snapshot("B2X_1_");
    empty.flows.clear();
    let mut tenant = Tenant::new(empty, ORIGIN.to_owned(), &Options::default());
    assert_eq!(send(&mut tenant, "GET", B2C, "").unwrap()["value"], json!([]));
    assert_eq!(send(&mut tenant, "GET", "/beta/identity/b2xUserFlows", ""), Err((403, "AADB2C")));
}

#[test]
fn flow_in_another_letter_case_is_found_with_ignore_case() {
    let lower = A.replace("B2C_1_a", "b2c_1_A");
    let expand = |configuration: &str| format!("{configuration}?$expand=preTokenIssuance");
    let mut strict = tenant("B2C_1_");
    assert_eq!(send(&mut strict, "GET", &expand(&lower), ""), Err((404, "AADB2C")));
    let reference = format!("{lower}/preTokenIssuance/$ref");
    assert_eq!(send(&mut strict, "PUT", &reference, &to("c2")), Err((404, "AADB2C")));
    assert_eq!(strict.snapshot(), &snapshot("B2C_1_"));

    let lag = Duration::from_secs(10);
    let mut lenient = tenant_with("B2C_1_", Options { ignore_case: true, lag, ..Options::default() });
    assert_eq!(send(&mut lenient, "PUT", &reference, &to("c2")), Ok(Value::Null));
    assert_eq!(lenient.snapshot().flows[0].bindings[&Step::PreTokenIssuance].as_deref(), Some("c2"));
    assert_eq!(lenient.snapshot().flows[0].id, "B2C_1_a", "the spelling of the snapshot is kept");
    let read = send(&mut lenient, "GET", &expand(&lower), "").unwrap();
    assert_eq!(read["preTokenIssuance"], Value::Null, "the lag applies to the write");
    assert_eq!(
        Ok(read),
        send(&mut lenient, "GET", &expand(A), ""),
        "the spelling of the request has no effect"
    );
    let flow = send(&mut lenient, "GET", &format!("{B2C}/b2c_1_A?$select=id"), "").unwrap();
    assert_eq!(flow["id"], "B2C_1_a");
    assert_eq!(send(&mut lenient, "GET", &format!("{B2C}/B2C_1_z"), ""), Err((404, "AADB2C")));
}

#[test]
fn reads_within_the_lag_return_the_previous_value() {
    let mut tenant = tenant_with("B2C_1_", Options { lag: Duration::from_secs(10), ..Options::default() });
    let step = "postFederationSignup";
    for (second, body) in [(0, to("c2")), (4, "{}".into())] {
        let request = Request::sample("PUT", &format!("{A}/{step}/$ref"), &body);
        assert_eq!(tenant.handle(&request, at(second)).unwrap().status, 204);
    }
    for (second, expected) in [(9, json!("c1")), (10, json!("c2")), (13, json!("c2")), (14, Value::Null)] {
        let request = Request::sample("GET", &format!("{A}?$expand={step}"), "");
        let seen = tenant.handle(&request, at(second)).unwrap().json_body();
        assert_eq!(seen[step]["id"], expected, "after {second} s");
    }
    assert_eq!(tenant.snapshot().flows[0].bindings[&Step::PostFederationSignup], None);
}
