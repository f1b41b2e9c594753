//! What holds between turns, whatever happened in them. For tests and debug builds.

use super::*;

impl<S: Stream> Hub<S> {
    /// Panics where the parts contradict one another; between turns.
    pub fn check_invariants(&self) {
        self.post.fanout.check_invariants();
        self.chat.check_invariants();
        self.timers.check_invariants();
        self.rests.check_invariants();
        self.pauses.check_invariants();
        self.check_counts();
        self.check_lists();
        self.check_rooms();
    }

    fn check_counts(&self) {
        let (mut open, mut inputs, mut per_ip) = (0, 0, HashMap::new());
        for (_, connection) in &self.connections {
            inputs += connection.held();
            if connection.phase == Phase::Open {
                open += 1;
                if let Some(place) = self.limited_place(connection.origin) {
                    *per_ip.entry(place).or_insert(0) += 1;
                }
            }
        }
        assert_eq!(open, self.open, "open connections");
        assert_eq!(inputs, self.inputs.total(), "memory of inputs");
        assert_eq!(per_ip, self.per_ip, "connections by address");
        if !self.config.bare && !self.stopping {
            assert_eq!(self.chat.people() + self.chat.visitors(), self.open);
        }
    }

    /// That nobody is forgotten who has something to be read, and nobody listed who has not.
    fn check_lists(&self) {
        let count = |list: &mut dyn Iterator<Item = Id>| {
            let mut counts = vec![0; self.connections.capacity()];
            list.for_each(|id| counts[id as usize] += 1);
            counts
        };
        let listed = self.ready.iter().chain(&self.waiting).copied();
        let listed = count(&mut listed.chain(self.pauses.all()));
        let ending = count(&mut self.ending.iter().copied());
        let timed = count(&mut self.timers.all());
        for (id, connection) in &self.connections {
            assert_eq!(listed[id], usize::from(connection.listed), "{id} is listed");
            let is_open = connection.phase == Phase::Open;
            let has_work = connection.readable || connection.ended || connection.has_work();
            assert!(
                !is_open || !has_work || connection.listed,
                "{id} is forgotten"
            );
            assert_eq!(ending[id], usize::from(!is_open), "{id} is on its way out");
            assert_ne!(connection.phase, Phase::Over, "{id} is not seen out");
            assert!(is_open || timed[id] == 1, "{id} ends without a deadline");
        }
    }

    /// That whoever is in a room gets its lines, and nobody else.
    fn check_rooms(&self) {
        let is_bus = self.config.bare;
        for (id, connection) in &self.connections {
            let id = id as Id;
            let room = match connection.phase {
                Phase::Open if is_bus => Some(LOBBY_ID),
                Phase::Open => self.chat.room(id),
                _ => None,
            };
            self.post.check_room(id, room);
        }
    }
}
