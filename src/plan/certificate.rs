//! Certificates of the connectors that a file binds.

use jiff::{SignedDuration, Timestamp};

use crate::model::{Certificate, Connector, latest_not_after};

/// Days for which a certificate must still be valid, if the user does not set them.
pub const DEFAULT_CERTIFICATE_DAYS: u32 = 30;

/// Time of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanTime {
    /// Start of the run.
    pub now: Timestamp,
    /// Time until which certificates must be valid; `None` if no certificate is reported as expiring.
    pub expires_before: Option<Timestamp>,
}

impl PlanTime {
    /// Creates the time of a run that starts at `now` and reports certificates that are not valid for this number of
    /// days; 0 reports none.
    pub fn new(now: Timestamp, certificate_days: u32) -> Self {
        let days = SignedDuration::from_hours(i64::from(certificate_days).saturating_mul(24));
        let limit = || now.checked_add(days).unwrap_or(Timestamp::MAX);
        Self { now, expires_before: (certificate_days > 0).then(limit) }
    }
}

/// Certificates of a connector that the file binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundCertificate {
    /// The connector.
    pub connector: Connector,
    /// Time until which the connector has an active certificate; `None` if it has none that is valid already.
    pub not_after: Option<Timestamp>,
    /// Whether no active certificate is valid as long as [`PlanTime`] requires.
    pub is_expiring: bool,
}

impl BoundCertificate {
    /// Summarizes the certificates of a connector. `None` if they are not known.
    pub(super) fn from_certificates(
        connector: &Connector,
        certificates: &[Certificate],
        time: PlanTime,
    ) -> Option<Self> {
        if certificates.is_empty() {
            return None;
        }
        let not_after = latest_not_after(certificates, time.now);
        let is_expiring = time.expires_before.is_some_and(|limit| not_after.is_none_or(|it| it < limit));
        Some(Self { connector: connector.clone(), not_after, is_expiring })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ConnectorId;

    const DAY: i64 = 24 * 60 * 60;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Returns until when a connector has an active certificate, and whether that is less than 30 days.
    fn summary(certificates: &[(i64, i64, bool)], days: u32) -> Option<(Option<i64>, bool)> {
        let connector = Connector { id: ConnectorId::parse("c1").unwrap(), display_name: None };
        let certificate = |&(not_before, not_after, is_active): &(i64, i64, bool)| Certificate {
            not_before: second(not_before),
            not_after: second(not_after),
            is_active,
        };
        let certificates: Vec<_> = certificates.iter().map(certificate).collect();
        let time = PlanTime::new(second(0), days);
        let bound = BoundCertificate::from_certificates(&connector, &certificates, time)?;
        Some((bound.not_after.map(Timestamp::as_second), bound.is_expiring))
    }

    #[test]
    fn certificate_is_expiring_if_it_is_not_valid_for_more_days() {
        let limit = 30 * DAY;
        assert_eq!(summary(&[(-1, limit, true)], 30), Some((Some(limit), false)));
        assert_eq!(summary(&[(-1, limit - 1, true)], 30), Some((Some(limit - 1), true)));
        assert_eq!(summary(&[(-2, -1, true)], 30), Some((Some(-1), true)), "expired");
        assert_eq!(summary(&[(-1, limit, false)], 30), Some((None, true)), "inactive");
        assert_eq!(summary(&[(1, limit, true)], 30), Some((None, true)), "not valid yet");
        assert_eq!(summary(&[(-1, DAY, true), (-1, limit, true)], 30), Some((Some(limit), false)), "renewed");
        assert_eq!(summary(&[], 30), None, "not known");
    }

    #[test]
    fn certificate_days_of_zero_report_nothing() {
        assert_eq!(summary(&[(-2, -1, true)], 0), Some((Some(-1), false)));
        assert_eq!(summary(&[(-2, -1, false)], 0), Some((None, false)));
    }

    #[test]
    fn certificate_days_beyond_all_times_report_every_certificate() {
        assert_eq!(PlanTime::new(second(0), u32::MAX).expires_before, Some(Timestamp::MAX));
        assert_eq!(summary(&[(-1, DAY, true)], u32::MAX), Some((Some(DAY), true)));
    }
}
