//! What holds between flushes, whatever happened. For tests and debug builds.

use super::*;
use std::collections::BTreeMap;

impl Fanout {
    /// Panics where the fields contradict one another.
    pub fn check_invariants(&self) {
        let mut memory = 0;
        // Each once, however many are in the middle of it.
        let mut lines = BTreeMap::new();
        let mut ranges = vec![0; self.feeds.capacity()];
        for (id, reader) in (0..).zip(&self.readers) {
            let Some(reader) = reader else { continue };
            if let Some(queue) = &reader.queue {
                queue.check_invariants();
                memory += queue.memory();
                for segment in queue.iter() {
                    if let Segment::Line { line, .. } = segment {
                        lines.insert(Rc::as_ptr(line), line.memory());
                    }
                    if let Segment::Range { feed, to, .. } = segment {
                        assert!(to.at <= self.feeds[*feed as usize].log.end().at);
                        ranges[*feed as usize] += 1;
                        self.check_is_known(id, reader, *feed);
                    }
                }
            }
            self.check_reader(id, reader);
        }
        for (id, feed) in &self.feeds {
            assert_eq!(feed.ranges, ranges[id], "ranges are miscounted");
            memory += feed.log.memory();
            self.check_feed(id as FeedId, feed);
        }
        memory += lines.values().sum::<usize>();
        assert_eq!(memory, self.memory(), "memory is miscounted");
        self.check_lists();
    }

    /// That a feed whose lines a reader is still to get knows of it.
    fn check_is_known(&self, id: ReaderId, reader: &Reader, feed: FeedId) {
        let is_trailing = self.feeds[feed as usize].trailing.contains(&id);
        assert!(reader.feed == feed || is_trailing, "{id} trails unseen");
    }

    fn check_reader(&self, id: ReaderId, reader: &Reader) {
        if reader.feed != NOWHERE {
            let feed = &self.feeds[reader.feed as usize];
            let member = &feed.members[reader.seat as usize];
            assert_eq!(member.reader, id, "a seat is another's");
            assert!(!feed.is_closed, "{id} is in a closed feed");
        }
        let is_new = self.feeds.get(reader.feed as usize);
        let is_new = is_new.is_some_and(|feed| feed.dirty);
        let waits = reader.blocked.is_none() && !reader.given_up;
        assert!(
            !waits || !self.is_pending(id) || reader.due || is_new,
            "{id} could be written to, and is forgotten"
        );
    }

    fn check_feed(&self, feed_id: FeedId, feed: &Feed) {
        feed.log.check_invariants();
        let end = feed.log.end().at;
        for (seat, member) in (0..).zip(&feed.members) {
            assert!(member.cursor.at <= end, "a cursor is behind the end");
            let Some(Some(reader)) = self.readers.get(member.reader as usize) else {
                panic!("{} is in a feed, but is no reader", member.reader);
            };
            assert_eq!((reader.feed, reader.seat), (feed_id, seat));
        }
        let mut wanted = false;
        self.each_position(feed_id, |_, _, _| wanted = true);
        assert!(
            wanted || feed.log.is_empty() || feed.touched || feed.dirty,
            "a log that nobody needs is held"
        );
    }

    /// That whatever is marked as listed is listed, once.
    fn check_lists(&self) {
        let readers = |is_marked: fn(&Reader) -> bool| {
            let readers = (0..).zip(&self.readers);
            let marked = readers.filter(|(_, reader)| reader.as_ref().is_some_and(is_marked));
            marked.map(|(id, _)| id).collect::<Vec<ReaderId>>()
        };
        let feeds = |is_marked: fn(&Feed) -> bool| {
            let marked = self.feeds.iter().filter(|(_, feed)| is_marked(feed));
            marked.map(|(id, _)| id as FeedId).collect::<Vec<FeedId>>()
        };
        // Whoever is due may be removed before the next flush, and another be there by the same number.
        let mut due = readers(|reader| reader.due).into_iter();
        assert!(due.all(|id| self.due.contains(&id)), "due");
        let given_up = readers(|reader| reader.given_up);
        let mut too_slow = self.too_slow.iter();
        assert!(too_slow.all(|id| given_up.contains(id)), "too slow");
        assert_eq!(
            sorted(self.dirty.clone()),
            feeds(|feed| feed.dirty),
            "dirty"
        );
        assert_eq!(
            sorted(self.touched.clone()),
            feeds(|feed| feed.touched),
            "touched"
        );
        assert_eq!(
            sorted(self.held.clone()),
            feeds(|feed| feed.held.is_some()),
            "held"
        );
    }
}

fn sorted(mut list: Vec<u32>) -> Vec<u32> {
    list.sort_unstable();
    list
}
