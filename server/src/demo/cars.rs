//! The carmaker behind the demo world: its cars, workshops and parts. All of it is invented; the vehicle identification
//! numbers are well formed but begin with a manufacturer's code that is made up.

use super::random::Random;

/// A country with its workshops.
#[derive(Debug)]
pub(super) struct Country {
    pub(super) code: &'static str,
    /// Share of all visits, in percent.
    pub(super) weight: u32,
    pub(super) cities: &'static [&'static str],
}

pub(super) const COUNTRIES: [Country; 6] = [
    Country {
        code: "DE",
        weight: 38,
        cities: &[
            "Berlin",
            "Hamburg",
            "München",
            "Stuttgart",
            "Köln",
            "Leipzig",
            "Hannover",
            "Nürnberg",
        ],
    },
    Country {
        code: "FR",
        weight: 18,
        cities: &["Paris", "Lyon", "Lille", "Nantes", "Toulouse"],
    },
    Country {
        code: "IT",
        weight: 15,
        cities: &["Milano", "Torino", "Bologna", "Roma"],
    },
    Country {
        code: "ES",
        weight: 12,
        cities: &["Madrid", "Barcelona", "Valencia", "Sevilla"],
    },
    Country {
        code: "NL",
        weight: 9,
        cities: &["Amsterdam", "Rotterdam", "Utrecht"],
    },
    Country {
        code: "AT",
        weight: 8,
        cities: &["Wien", "Graz", "Linz"],
    },
];

/// Model, the vehicle descriptor that stands for it in a VIN, and whether it is electric.
const MODELS: [(&str, &str, bool); 7] = [
    ("Alva", "AL1", false),
    ("Alva Touring", "AL2", false),
    ("Brisa", "BR1", false),
    ("Corvo", "CV1", false),
    ("Corvo e", "CV8", true),
    ("Duna", "DN1", false),
    ("Elbe e", "EB8", true),
];

/// Trouble codes as they are read at the diagnosis plug (SAE J2012), with what a technician writes beside them.
pub(super) const TROUBLES: [(&str, &str); 16] = [
    ("P0171", "mixture too lean, bank 1"),
    ("P0300", "misfires in several cylinders"),
    ("P0401", "exhaust gas recirculation: flow too low"),
    ("P0420", "catalyst below its efficiency"),
    ("P0455", "large leak in the evaporative system"),
    ("P0562", "on-board voltage too low"),
    ("P0700", "transmission control reports a fault"),
    ("P0AA6", "isolation of the high-voltage system"),
    ("P0A80", "hybrid battery pack deteriorated"),
    ("B1342", "control unit defective"),
    ("B2799", "immobiliser does not answer"),
    ("C0035", "wheel speed sensor, front left"),
    ("C0242", "traction control: engine torque"),
    ("C0561", "stability control switched off"),
    ("U0100", "no communication with the engine control"),
    ("U0155", "no communication with the instrument cluster"),
];

/// Model years from 2014 on (position 10).
const MODEL_YEARS: &[u8] = b"EFGHJKLMNPRSTVWXY";
const FIRST_MODEL_YEAR: i64 = 2014;

/// One car.
#[derive(Clone, Debug)]
pub(super) struct Car {
    pub(super) vin: String,
    pub(super) model: &'static str,
    /// Index into [`COUNTRIES`].
    pub(super) country: usize,
    /// First registration, as UTC day.
    pub(super) registered: i64,
    pub(super) km_a_day: i64,
}

impl Car {
    /// Kilometres on a UTC day.
    pub(super) fn odometer(&self, day: i64) -> i32 {
        let km = (day - self.registered).max(1) * self.km_a_day;
        i32::try_from(km).unwrap_or(i32::MAX)
    }
}

/// All cars that come to the workshops.
#[derive(Debug)]
pub(super) struct Fleet(Vec<Car>);

impl Fleet {
    /// `today` is the UTC day on which the month begins: nobody is registered later.
    pub(super) fn new(seed: u64, count: u32, today: i64) -> Self {
        let cars = (0..count)
            .map(|serial| {
                let mut random = Random::new(seed, "car", u64::from(serial));
                let (model, descriptor, electric) = *random.pick(&MODELS);
                let age = random.mostly_low(20, 9 * 365);
                let registered = today - age;
                // 1970 + days / 365.2425, near enough for a model year.
                let year = 1970 + registered * 10_000 / 3_652_425;
                let engine = if electric {
                    "E0"
                } else {
                    random.pick(&["1T", "2T", "2D", "3D"])
                };
                Car {
                    vin: vin(descriptor, engine, year, serial),
                    model,
                    country: random.weighted(COUNTRIES.iter().map(|country| country.weight)),
                    registered,
                    km_a_day: random.mostly_low(12, 140),
                }
            })
            .collect();
        Self(cars)
    }

    pub(super) fn pick(&self, random: &mut Random) -> &Car {
        &self.0[random.index(self.0.len())]
    }
}

/// 17 characters: manufacturer, descriptor, check digit, model year, plant, serial number.
fn vin(descriptor: &str, engine: &str, year: i64, serial: u32) -> String {
    let year = usize::try_from(year - FIRST_MODEL_YEAR)
        .unwrap_or(0)
        .min(MODEL_YEARS.len() - 1);
    let year = char::from(MODEL_YEARS[year]);
    let plant = ['B', 'L', 'T'][(serial % 3) as usize];
    let mut vin = format!("G0E{descriptor}{engine}0{year}{plant}{serial:06}");
    let digit = check_digit(&vin);
    vin.replace_range(8..9, digit.encode_utf8(&mut [0; 4]));
    vin
}

/// The check digit at position 9 (49 CFR 565.15): the weighted sum of the transliterated characters modulo 11.
fn check_digit(vin: &str) -> char {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let sum: u32 = vin
        .bytes()
        .zip(WEIGHTS)
        .map(|(byte, weight)| value(byte) * weight)
        .sum();
    char::from_digit(sum % 11, 10).unwrap_or('X')
}

fn value(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'H' => u32::from(byte - b'A') + 1,
        b'J'..=b'R' => u32::from(byte - b'J') + 1,
        b'S'..=b'Z' => u32::from(byte - b'S') + 2,
        _ => 0,
    }
}

/// A workshop's number, `DE-0203`: country, city, workshop.
pub(super) fn workshop(random: &mut Random, country: usize) -> (String, &'static str) {
    let country = &COUNTRIES[country];
    let city = random.index(country.cities.len());
    let number = random.mostly_low(1, 9);
    (
        format!("{}-{:02}{number:02}", country.code, city + 1),
        country.cities[city],
    )
}

/// Parts of the catalogue.
pub(super) const PARTS: u32 = 900;

/// A part's number as it stands on its label: group, running number, letter of change.
pub(super) fn part_number(part: u32) -> String {
    let group = 10 + part % 90;
    let letter = char::from(b'A' + u8::try_from(part % 5).unwrap_or(0));
    format!("{group}.{:05}.{letter}", 10_000 + part * 37)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What VINs are made of: no I, O and Q (ISO 3779).
    const VIN_ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPRSTUVWXYZ";

    #[test]
    fn the_check_digit_is_the_regulations() {
        // The example of the regulation's own literature, and a VIN of ones.
        assert_eq!(check_digit("1M8GDM9A_KP042788"), 'X');
        assert_eq!(check_digit("11111111111111111"), '1');
    }

    #[test]
    fn cars_are_well_formed_and_differ() {
        let fleet = Fleet::new(1, 3_000, 20_000);
        let mut vins: Vec<&str> = fleet.0.iter().map(|car| car.vin.as_str()).collect();
        for car in &fleet.0 {
            assert_eq!(car.vin.len(), 17);
            assert!(
                car.vin.bytes().all(|byte| VIN_ALPHABET.contains(&byte)),
                "{}",
                car.vin
            );
            assert_eq!(car.vin.as_bytes()[8], check_digit(&car.vin) as u8);
            assert!(car.registered < 20_000 && car.odometer(20_000) > 0);
        }
        vins.sort_unstable();
        vins.dedup();
        assert_eq!(vins.len(), 3_000);
    }

    #[test]
    fn part_numbers_differ() {
        let mut numbers: Vec<String> = (0..PARTS).map(part_number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), PARTS as usize);
    }
}
