//! Responses with a token, as platforms and versions of `az` give them, in the form that `azure_identity` reads.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::strtime;
use serde_json::{Map, Value, json};

use crate::auth::token::Token;

/// Returns the response of a metadata service with `expires_on` as digits in a string, `token_type` and `resource`;
/// `None` if it has no token. `now` is the base of `expires_in`. The expiry is 0 if it is not known.
pub(super) fn normalize_identity(body: &[u8], now: SystemTime) -> Option<Vec<u8>> {
    let response: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let token = response.get("access_token")?.as_str()?;
    let expires = expiry(token, &response, now).unwrap_or_default().to_string();
    let normal =
        json!({"access_token": token, "expires_on": expires, "token_type": "Bearer", "resource": ""});
    Some(normal.to_string().into_bytes())
}

/// Returns the token object in what `az account get-access-token` printed, with `expires_on` as a number if it can
/// be derived; `None` if there is none. Warnings and escape sequences may surround the object.
pub(super) fn find_az_token(printed: &str) -> Option<Vec<u8>> {
    let mut objects = printed.match_indices('{').filter_map(|(at, _)| {
        let text = printed.get(at..)?;
        serde_json::Deserializer::from_str(text).into_iter::<Map<String, Value>>().next()?.ok()
    });
    let mut response = objects.find(|object| object.contains_key("accessToken"))?;
    let token = response.get("accessToken")?.as_str().unwrap_or_default();
    if !response.get("expires_on").is_some_and(Value::is_i64)
        && let Some(expires) = expiry(token, &response, SystemTime::now())
    {
        response.insert("expires_on".into(), expires.into());
    }
    serde_json::to_vec(&response).ok()
}

/// Returns the expiry of a token in seconds since 1970: its `exp` claim, else `expires_on` of the response, else
/// `expires_in`. `None` if none is readable and a possible time.
fn expiry(token: &str, response: &Map<String, Value>, now: SystemTime) -> Option<u64> {
    let claimed = Token::new(token, None).ok().and_then(|token| token.expires());
    let after = || now.checked_add(Duration::from_secs(seconds(response.get("expires_in")?)?));
    let since_1970 = |time: SystemTime| Some(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs());
    let possible = |seconds: &u64| {
        i64::try_from(*seconds).is_ok_and(|seconds| seconds > 0 && Timestamp::from_second(seconds).is_ok())
    };
    let claimed = claimed.and_then(since_1970).filter(possible);
    let expires = claimed.or_else(|| time(response.get("expires_on")?).filter(possible));
    expires.or_else(|| since_1970(after()?).filter(possible))
}

/// Reads a number, or the digits of a number.
fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Reads a time: seconds since 1970, RFC 3339, or a date as App Service writes it
/// (<https://github.com/Azure/azure-sdk-for-net/issues/12869>).
fn time(value: &Value) -> Option<u64> {
    const DATES: [&str; 2] = ["%m/%d/%Y %I:%M:%S %p %:z", "%m/%d/%Y %H:%M:%S %:z"];
    let dated = |text: &str| {
        let date = |format: &&str| strtime::parse(format, text).ok()?.to_timestamp().ok();
        let time = text.parse::<Timestamp>().ok().or_else(|| DATES.iter().find_map(date))?;
        u64::try_from(time.as_second()).ok()
    };
    seconds(value).or_else(|| dated(value.as_str()?.trim()))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    use super::*;

    const NOW: u64 = 1_789_000_000;

    /// Returns the expiry of a normalized response, whose other fields `azure_identity` requires.
    fn normalized(response: &Value) -> u64 {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        let normal = normalize_identity(response.to_string().as_bytes(), now).unwrap();
        let normal: Value = serde_json::from_slice(&normal).unwrap();
        assert_eq!(normal["access_token"], response["access_token"]);
        assert!(normal["token_type"].is_string() && normal["resource"].is_string());
        normal["expires_on"].as_str().unwrap().parse().unwrap()
    }

    #[test]
    fn identity_response_in_every_form_has_its_expiry() {
        const EXPIRES: u64 = 1_789_709_052;
        for (expires_on, expected) in [
            (json!(EXPIRES), EXPIRES),
            (json!(EXPIRES.to_string()), EXPIRES),
            (json!(format!(" {EXPIRES} ")), EXPIRES),
            (json!("9/18/2026 5:24:12 AM +00:00"), EXPIRES),
            (json!("09/18/2026 05:24:12 +00:00"), EXPIRES),
            (json!("9/17/2026 10:24:12 PM -07:00"), EXPIRES),
            (json!("2026-09-18T05:24:12Z"), EXPIRES),
            (json!("2026-09-18T07:24:12.345+02:00"), EXPIRES),
            (json!("2026-09-18 05:24:12+00:00"), EXPIRES),
            (json!(""), NOW + 60),
            (json!(null), NOW + 60),
            (json!("soon"), NOW + 60),
            (json!(-1), NOW + 60),
            (json!([]), NOW + 60),
            (json!(0), NOW + 60),
            (json!(u64::MAX), NOW + 60),
        ] {
            for expires_in in [json!(60), json!("60")] {
                let response =
                    json!({"access_token": "t", "expires_on": expires_on, "expires_in": expires_in});
                assert_eq!(normalized(&response), expected, "{response}");
            }
        }
        for unknown in [json!({"access_token": "t"}), json!({"access_token": "t", "expires_in": "x"})] {
            assert_eq!(normalized(&unknown), 0, "{unknown}");
        }
    }

    #[test]
    fn identity_response_with_a_claimed_expiry_uses_it() {
        let token = format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(json!({"exp": NOW}).to_string()));
        for expires_on in [json!(null), json!("1"), json!("9/18/2026 5:24:12 AM +00:00")] {
            let response = json!({"access_token": token, "expires_on": expires_on});
            assert_eq!(normalized(&response), NOW, "{response}");
        }
    }

    #[test]
    fn response_without_token_is_not_normalized() {
        for body in ["", "[]", "{}", r#"{"access_token": 7}"#, r#"{"access_token": null}"#] {
            assert_eq!(normalize_identity(body.as_bytes(), SystemTime::UNIX_EPOCH), None, "{body}");
        }
    }

    #[test]
    fn token_of_az_is_found_in_other_output() {
        let object = r#"{"accessToken": "t", "expires_on": 4000000000, "tokenType": "Bearer"}"#;
        for printed in [
            object.to_owned(),
            format!("\u{feff}{object}"),
            format!("WARNING: {{ unusual }} {{}}\r\n{object}\r\n"),
            format!("\u{1b}[0m{object}\u{1b}[?25h"),
            format!("{object}\nA new version is available: {object}"),
        ] {
            let found: Value = serde_json::from_slice(&find_az_token(&printed).unwrap()).unwrap();
            assert_eq!(found["accessToken"], "t", "{printed:?}");
            assert_eq!(found["expires_on"], 4_000_000_000_u64);
        }
        for printed in ["", "<html>", "\"t\"", "{}", r#"{"accessToken": "t""#] {
            assert_eq!(find_az_token(printed), None, "{printed}");
        }
    }
}
