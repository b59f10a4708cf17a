//! Client certificates of connectors.

use jiff::Timestamp;

/// Client certificate with which a connector authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate {
    /// Time from which the certificate is valid.
    pub not_before: Timestamp,
    /// Time until which the certificate is valid.
    pub not_after: Timestamp,
    /// Whether the connector uses the certificate for its calls.
    pub is_active: bool,
}

/// Returns the latest `not_after` of the active certificates whose `not_before` is not after `now`. `None` if there is
/// no such certificate; so it has no meaning for an empty list, with which nothing is known.
pub fn latest_not_after(certificates: &[Certificate], now: Timestamp) -> Option<Timestamp> {
    let usable = certificates.iter().filter(|it| it.is_active && it.not_before <= now);
    usable.map(|it| it.not_after).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_not_after_ignores_inactive_and_future_certificates() {
        let second = |second| Timestamp::from_second(second).unwrap();
        let certificate = |not_before, not_after, is_active| Certificate {
            not_before: second(not_before),
            not_after: second(not_after),
            is_active,
        };
        let now = second(100);
        let active = [certificate(0, 50, true), certificate(100, 200, true), certificate(0, 150, true)];
        assert_eq!(latest_not_after(&active, now), Some(second(200)));
        let expired = [certificate(0, 50, true)];
        assert_eq!(latest_not_after(&expired, now), Some(second(50)));
        let unusable = [certificate(0, 300, false), certificate(101, 300, true)];
        assert_eq!(latest_not_after(&unusable, now), None);
    }
}
