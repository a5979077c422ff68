//! Periods, due instants over clock changes, and what is no schedule.

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn periods() {
    for (text, seconds) in [
        ("5m", 300),
        ("6h", 21_600),
        ("2d", 172_800),
        ("1w", 604_800),
    ] {
        assert_eq!(parse_every(text), Ok(seconds));
        assert_eq!(format_every(seconds), text);
    }
    for text in [
        "",
        "d",
        "2",
        "2x",
        "-1d",
        "1m",
        "53w",
        "99999999999999999999d",
        "2 d",
        "é",
    ] {
        assert_eq!(parse_every(text), Err(ScheduleError::Every), "{text}");
    }
    for text in ["0m", "0d", "000w"] {
        assert_eq!(parse_every(text), Err(ScheduleError::Zero), "{text}");
    }
}

#[test]
fn a_source_is_looked_at_as_often_as_its_promise_needs() {
    let looking = |new_version_seconds, fresh_seconds| {
        Schedule::of(Parts {
            new_version_seconds,
            fresh_seconds,
            zone: "UTC",
            ..Parts::default()
        })
    };
    let noon = at("2026-06-15T12:00:00Z");
    for (schedule, minutes, promised) in [
        (looking(Some(3_600), None), 5, 7_200),
        (looking(None, Some(21_600)), 5, 21_600),
        (looking(None, Some(900)), 2, 900),
        (looking(None, Some(300)), 1, 300),
    ] {
        let schedule = schedule.unwrap();
        let next = schedule.next_due(noon).unwrap();
        assert!(next.since(noon) >= minutes * MINUTE, "{schedule:?}");
        assert!(next.since(noon) < (minutes + 1) * MINUTE, "{schedule:?}");
        assert_eq!(schedule.promise(), Some(promised * SECOND));
        // Looks that were missed are not made up for.
        let late = noon.plus(DAY);
        assert_eq!(schedule.next_after(noon, late), schedule.next_due(late));
    }
    assert_eq!(looking(Some(3_600), Some(3_600)), Err(ScheduleError::Both));
    let with_cron = Schedule::of(Parts {
        fresh_seconds: Some(3_600),
        cron: Some("0 3 * * *"),
        zone: "UTC",
        ..Parts::default()
    });
    assert_eq!(with_cron, Err(ScheduleError::Both));
    let nowhere = Schedule::of(Parts {
        fresh_seconds: Some(3_600),
        zone: "Mars/Olympus",
        ..Parts::default()
    });
    assert_eq!(nowhere, Err(ScheduleError::Zone));
}

#[test]
fn checks_go_by_a_period_or_by_cron() {
    let next = |text| {
        let checks = Schedule::of_checks(text, "Europe/Berlin").unwrap();
        checks.next_due(at("2026-06-15T12:00:00Z")).unwrap()
    };
    assert_eq!(next("1w"), at("2026-06-22T12:00:00Z"));
    // Sundays at four in the morning, of Berlin.
    assert_eq!(next("0 4 * * 0"), at("2026-06-21T02:00:00Z"));
    for (text, error) in [
        ("0d", ScheduleError::Zero),
        ("weekly", ScheduleError::Every),
        ("0 4 31 2 *", ScheduleError::Never),
    ] {
        assert_eq!(Schedule::of_checks(text, "UTC"), Err(error), "{text}");
    }
}

#[test]
fn due_instants() {
    let berlin = |days: i64| {
        Schedule::new(Some(days * 86_400), Some("03:00"), None, "Europe/Berlin").unwrap()
    };
    let cases = [
        (berlin(2), "2026-06-15T12:00:00Z", "2026-06-17T01:00:00Z"),
        (berlin(1), "2026-06-15T00:30:00Z", "2026-06-15T01:00:00Z"),
        (berlin(1), "2026-06-15T01:00:00Z", "2026-06-16T01:00:00Z"),
        // Winter time begins on 25 October 2026 at 03:00: the hour 02:00 comes twice.
        (berlin(1), "2026-10-24T12:00:00Z", "2026-10-25T02:00:00Z"),
        (
            Schedule::new(Some(3_600), None, None, "UTC").unwrap(),
            "2026-06-15T12:00:00Z",
            "2026-06-15T13:00:00Z",
        ),
        (
            Schedule::new(None, None, Some("0 3 * * 1"), "UTC").unwrap(),
            "2026-06-15T03:00:00Z",
            "2026-06-22T03:00:00Z",
        ),
    ];
    for (schedule, after, due) in cases {
        assert_eq!(
            schedule.next_due(at(after)),
            Some(at(due)),
            "{schedule:?} after {after}"
        );
    }
    // Summer time begins on 29 March 2026 at 02:00: 02:30 does not exist and moves to 03:00.
    let skipped = Schedule::new(Some(86_400), Some("02:30"), None, "Europe/Berlin").unwrap();
    assert_eq!(
        skipped.next_due(at("2026-03-28T12:00:00Z")),
        Some(at("2026-03-29T01:00:00Z"))
    );
    assert_eq!(Schedule::ByHand.next_due(at("2026-06-15T12:00:00Z")), None);
}

#[test]
fn a_series_keeps_its_beat_however_late_it_is_looked_at() {
    let every = |seconds: i64, time: Option<&str>| {
        Schedule::new(Some(seconds), time, None, "Europe/Berlin").unwrap()
    };
    for (schedule, due, now, next) in [
        // Noticed four seconds late, and not later each time.
        (
            every(3_600, None),
            "2026-06-15T12:00:00Z",
            "2026-06-15T12:00:04Z",
            "2026-06-15T13:00:00Z",
        ),
        (
            every(3_600, None),
            "2026-06-15T12:00:00Z",
            "2026-06-15T18:30:00Z",
            "2026-06-15T19:00:00Z",
        ),
        // Down for three days: every second day stays every second day.
        (
            every(172_800, Some("03:00")),
            "2026-06-15T01:00:00Z",
            "2026-06-18T12:00:00Z",
            "2026-06-19T01:00:00Z",
        ),
        // Over the end of summer time the time of day stays.
        (
            every(86_400, Some("03:00")),
            "2026-10-24T01:00:00Z",
            "2026-10-24T01:00:02Z",
            "2026-10-25T02:00:00Z",
        ),
    ] {
        assert_eq!(
            schedule.next_after(at(due), at(now)),
            Some(at(next)),
            "{schedule:?} due {due} at {now}"
        );
    }
}

#[test]
fn nonsense_is_refused() {
    assert!(Schedule::new(Some(3_600), Some("03:00"), None, "UTC").is_err());
    assert!(Schedule::new(Some(86_400), Some("24:00"), None, "UTC").is_err());
    assert!(Schedule::new(Some(86_400), None, None, "Mars/Olympus").is_err());
    assert!(Schedule::new(Some(86_400), None, Some("0 3 * * *"), "UTC").is_err());
    for cron in ["", "x", "0 3 * *", "61 * * * *", "0 0 3 * * *"] {
        let refused = Schedule::new(None, None, Some(cron), "UTC");
        assert!(matches!(refused, Err(ScheduleError::Cron(_))), "{cron}");
    }
    // Well written, and there is no such day.
    for cron in ["0 0 30 2 *", "0 0 31 2,4,6 *"] {
        let refused = Schedule::new(None, None, Some(cron), "UTC");
        assert_eq!(refused, Err(ScheduleError::Never), "{cron}");
    }
}
