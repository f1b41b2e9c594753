//! Where a value stands between the ends of an axis, and which values are marked there. Numbers in,
//! numbers out: no units, no pixels.

/// The most ticks that a logarithmic axis marks between its decades too.
const MOST_TICKS: usize = 8;
/// The most steps that a linear axis has.
const LINEAR_STEPS: f64 = 5.0;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Linear,
    Logarithmic,
}

impl Scale {
    /// From the greatest of 1, 2, 5, 10, 20 ... that is not above the values to the least that is not
    /// below them. Only values above 0 count; without any, from 1 to 10.
    pub fn logarithmic(values: impl Iterator<Item = f64>) -> Scale {
        let (low, high) = bounds(values.filter(|&value| value > 0.0)).unwrap_or((1.0, 10.0));
        let (low, high) = (nice_below(low), nice_above(high));
        Scale {
            low,
            high: if high > low { high } else { low * 10.0 },
            kind: Kind::Logarithmic,
        }
    }

    /// From 0 to a round number not below the values.
    pub fn from_zero(values: impl Iterator<Item = f64>) -> Scale {
        let high = bounds(values).map_or(1.0, |(_, high)| high);
        let high = if high > 0.0 { high } else { 1.0 };
        let step = nice_above(high / LINEAR_STEPS);
        Scale {
            low: 0.0,
            high: step * (high / step).ceil(),
            kind: Kind::Linear,
        }
    }

    /// Exactly from the least value to the greatest; the ticks are the caller's.
    pub fn between(values: &[f64], logarithmic: bool) -> Scale {
        let (low, high) = bounds(values.iter().copied()).unwrap_or((1.0, 10.0));
        Scale {
            low,
            high,
            kind: if logarithmic && low > 0.0 {
                Kind::Logarithmic
            } else {
                Kind::Linear
            },
        }
    }

    /// 0 at the low end, 1 at the high one; in the middle if both are the same.
    pub fn at(&self, value: f64) -> f64 {
        let place = |value: f64| match self.kind {
            Kind::Linear => value,
            Kind::Logarithmic => value.log10(),
        };
        let (low, high) = (place(self.low), place(self.high));
        if high > low {
            (place(value) - low) / (high - low)
        } else {
            0.5
        }
    }

    /// Whether the value has a place on the axis.
    pub fn holds(&self, value: f64) -> bool {
        let positive = self.kind == Kind::Linear || value > 0.0;
        positive && value.is_finite() && (-1e-9..=1.0 + 1e-9).contains(&self.at(value))
    }

    pub fn ticks(&self) -> Vec<f64> {
        match self.kind {
            Kind::Linear => {
                let step = nice_above((self.high - self.low) / LINEAR_STEPS / 1.01);
                let count = ((self.high - self.low) / step + 1e-9) as usize;
                (0..=count)
                    .map(|index| self.low + step * index as f64)
                    .collect()
            }
            Kind::Logarithmic => {
                let all = self.steps(&[1.0, 2.0, 5.0]);
                if all.len() <= MOST_TICKS {
                    all
                } else {
                    self.steps(&[1.0])
                }
            }
        }
    }

    /// The values of this form that the axis holds, in every decade.
    fn steps(&self, of_decade: &[f64]) -> Vec<f64> {
        let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let all = decades.flat_map(|decade| of_decade.iter().map(move |it| it * power(decade)));
        all.filter(|&value| self.holds(value)).collect()
    }
}

/// Exact for whole powers, which `powi` of a fraction is not.
fn power(decade: i32) -> f64 {
    if decade >= 0 {
        10f64.powi(decade)
    } else {
        1.0 / 10f64.powi(-decade)
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .filter(|value| value.is_finite())
        .fold(None, |bounds, value| {
            let (low, high) = bounds.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        })
}

/// The least of 1, 2, 5, 10, 20 ... that is not below a value above 0.
fn nice_above(value: f64) -> f64 {
    let found = nice_around(value).into_iter().find(|&step| step >= value);
    found.unwrap_or(value)
}

/// The greatest of them that is not above it.
fn nice_below(value: f64) -> f64 {
    let found = nice_around(value).into_iter().rfind(|&step| step <= value);
    found.unwrap_or(value)
}

/// Those of the value's decade, and the first of the next.
fn nice_around(value: f64) -> [f64; 4] {
    let decade = value.log10().floor() as i32;
    [1.0, 2.0, 5.0, 10.0].map(|step| step * power(decade))
}

pub fn check() {
    let scale = Scale::logarithmic([32.0, 21_000.0].into_iter());
    assert_eq!(scale.ticks(), [100.0, 1_000.0, 10_000.0]);
    assert!((scale.at(20.0), scale.at(50_000.0)) == (0.0, 1.0));
    let scale = Scale::logarithmic([100.0, 1_000.0].into_iter());
    assert_eq!(scale.ticks(), [100.0, 200.0, 500.0, 1_000.0]);
    let scale = Scale::logarithmic([0.002, 0.3].into_iter());
    assert_eq!(scale.ticks()[..2], [0.002, 0.005]);
    assert!(!scale.holds(0.0) && !scale.holds(1.0) && scale.holds(0.01));
    let scale = Scale::logarithmic(std::iter::empty());
    assert_eq!(scale.ticks(), [1.0, 2.0, 5.0, 10.0]);
    let scale = Scale::from_zero([85.0, 19_900.0].into_iter());
    assert_eq!(scale.ticks(), [0.0, 5_000.0, 10_000.0, 15_000.0, 20_000.0]);
    assert_eq!(Scale::from_zero([0.0].into_iter()).at(0.5), 0.5);
    let scale = Scale::between(&[10.0, 100.0, 1_000.0], true);
    assert!((scale.at(100.0) - 0.5).abs() < 1e-9);
    assert_eq!(Scale::between(&[7.0], true).at(7.0), 0.5);
}
