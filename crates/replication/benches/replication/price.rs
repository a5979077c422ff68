//! What bytes that leave a cloud cost: the public list price for traffic to the internet that a large cloud had when this was
//! written, by volume and month. An assumption, printed beside the figures.

/// A volume in GB of a month, and the price in USD of each GB within it; the last has no end.
const TIERS: [(f64, f64); 4] = [
    (10_000.0, 0.09),
    (40_000.0, 0.085),
    (100_000.0, 0.07),
    (f64::INFINITY, 0.05),
];

pub(crate) const SAID: &str = "Money: USD per GB and month, 0.09 for the first 10 TB, 0.085 for the next 40, 0.07 for the next 100, 0.05 for \
     the rest. Requests, storage and computing are not in it.";

/// Of months, each given in bytes.
pub(crate) fn usd(months: &[f64]) -> f64 {
    months.iter().map(|bytes| month(bytes / 1e9)).sum()
}

fn month(mut gigabytes: f64) -> f64 {
    let mut usd = 0.0;
    for (volume, price) in TIERS {
        let part = gigabytes.min(volume);
        usd += part * price;
        gigabytes -= part;
    }
    usd
}
