//! When newcomers are let in, and when that rests.
//!
//! Owns the pause after attempts that failed. Knows neither sockets nor who comes: it is told what came of each
//! attempt, and what time it is.

use crate::limits::{self, Millis};
use rustix::io::Errno;
use std::io;

/// Lets people in as long as the system has what they need.
#[derive(Debug, Default)]
pub struct Intake {
    /// Nobody is let in before then.
    resting: Option<Millis>,
    /// How many connections there were when that began.
    crowd: usize,
    /// It was logged, and somebody waits still.
    is_said: bool,
}

impl Intake {
    /// When to go on; `None` if it does not rest.
    pub fn resting(&self) -> Option<Millis> {
        self.resting
    }

    /// Whether somebody may be let in now.
    pub fn is_open(&mut self, now: Millis) -> bool {
        if self.resting.is_some_and(|until| now >= until) {
            self.resting = None;
        }
        self.resting.is_none()
    }

    /// There are `crowd` connections now. Where one has gone since the rest began, another may come at once.
    pub fn crowd_is(&mut self, crowd: usize) {
        if crowd < self.crowd {
            self.resting = None;
        }
    }

    /// Lets in whoever waits at one door, so many at a time, with `crowd` connections there already. `admit` lets one in,
    /// and says whether there is room for another in this turn. Whether more may wait.
    pub fn let_in(
        &mut self,
        now: Millis,
        crowd: usize,
        mut admit: impl FnMut() -> io::Result<bool>,
    ) -> bool {
        let mut in_vain = 0;
        for attempts in 0..limits::ACCEPTS {
            match admit() {
                Ok(true) => {}
                Ok(false) => return true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_said = false;
                    return false;
                }
                // What is missing comes back when somebody leaves, or by itself.
                Err(error) if is_shortage(&error) => {
                    self.rest(&error, now, crowd + attempts - in_vain);
                    return true;
                }
                // That one was gone before its turn, or a signal came: the next one, please.
                Err(error) => {
                    in_vain += 1;
                    if in_vain == limits::ACCEPTS {
                        self.rest(&error, now, crowd);
                    }
                }
            }
        }
        true
    }

    fn rest(&mut self, error: &io::Error, now: Millis, crowd: usize) {
        if !std::mem::replace(&mut self.is_said, true) {
            let advice = match Errno::from_io_error(error) {
                Some(Errno::MFILE) => " (raise 'ulimit -n', or lower --max-clients)",
                _ => "",
            };
            log::warn!("newcomers must wait: {error}{advice}");
        }
        self.resting = Some(now + limits::ACCEPT_PAUSE);
        self.crowd = crowd;
    }
}

/// Whether the system lacks something that the next in the queue would lack too. Any other error concerns one
/// connection.
fn is_shortage(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::NOSPC)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// A listener whose every attempt ends as the script says; then nobody waits.
    struct Script {
        attempts: VecDeque<Result<(), Errno>>,
        made: usize,
    }

    impl Script {
        fn new(attempts: impl IntoIterator<Item = Result<(), Errno>>) -> Self {
            let attempts = attempts.into_iter().collect();
            Self { attempts, made: 0 }
        }

        fn attempt(&mut self) -> io::Result<bool> {
            self.made += 1;
            let result = self.attempts.pop_front().unwrap_or(Err(Errno::AGAIN));
            result.map(|()| true).map_err(io::Error::from)
        }

        fn let_in(&mut self, intake: &mut Intake, now: Millis, crowd: usize) -> bool {
            intake.let_in(now, crowd, || self.attempt())
        }
    }

    const PASSING: [Errno; 7] = [
        Errno::INTR,
        Errno::CONNABORTED,
        Errno::CONNRESET,
        Errno::PERM,
        Errno::PROTO,
        Errno::NETDOWN,
        Errno::INVAL,
    ];
    const SHORTAGES: [Errno; 5] = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::NOSPC,
    ];

    #[test]
    fn whoever_finds_no_room_in_this_turn_comes_in_the_next() {
        let mut intake = Intake::default();
        let mut let_in = 0;
        let may_more_wait = intake.let_in(0, 0, || {
            let_in += 1;
            Ok(let_in < 3)
        });
        assert_eq!((let_in, may_more_wait), (3, true));
        assert!(intake.is_open(0));
    }

    #[test]
    fn an_error_of_one_connection_costs_the_next_nothing() {
        for error in PASSING {
            let mut intake = Intake::default();
            let mut script = Script::new([Ok(()), Err(error), Ok(()), Err(error), Ok(())]);
            assert!(!script.let_in(&mut intake, 0, 0), "nobody waits");
            assert_eq!((script.made, intake.resting()), (6, None), "{error:?}");
        }
    }

    #[test]
    fn a_shortage_rests_until_its_time_is_over_or_somebody_has_gone() {
        for error in SHORTAGES {
            let mut intake = Intake::default();
            let mut script = Script::new([Ok(()), Ok(()), Err(error), Ok(())]);
            assert!(script.let_in(&mut intake, 1000, 10), "somebody waits");
            assert_eq!(script.made, 3, "{error:?}");
            assert!(!intake.is_open(1000 + limits::ACCEPT_PAUSE - 1));
            intake.crowd_is(12);
            assert!(!intake.is_open(1000), "all of them are still there");
            intake.crowd_is(11);
            assert!(intake.is_open(1000), "one has gone");
            assert!(!script.let_in(&mut intake, 1000, 11));

            let mut script = Script::new([Err(error)]);
            script.let_in(&mut intake, 2000, 11);
            assert!(intake.is_open(2000 + limits::ACCEPT_PAUSE));
        }
    }

    #[test]
    fn errors_without_end_never_spin() {
        for error in PASSING.into_iter().chain(SHORTAGES) {
            let mut intake = Intake::default();
            let mut script = Script::new(std::iter::repeat_n(Err(error), 1_000_000));
            // Ten seconds, in which the loop comes round every millisecond.
            for now in 0..10_000 {
                if intake.is_open(now) {
                    assert!(script.let_in(&mut intake, now, 5));
                    assert!(intake.resting().is_some_and(|until| until > now));
                }
                intake.crowd_is(5);
            }
            let most = match is_shortage(&error.into()) {
                true => 1,
                false => limits::ACCEPTS,
            };
            let rests = 10_000 / limits::ACCEPT_PAUSE as usize + 1;
            assert!(
                script.made <= most * rests,
                "{error:?}: {} attempts",
                script.made
            );
            // And it goes on as soon as that is over.
            script.attempts = [Ok(())].into();
            assert!(intake.is_open(20_000));
            assert!(!script.let_in(&mut intake, 20_000, 5));
        }
    }
}
