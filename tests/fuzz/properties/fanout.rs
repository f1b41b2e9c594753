//! The fan-out as a whole: readers that come, take as much as they like, and go, against what each must get.

use super::Draw;
use snug::fanout::queue::FeedId;
use snug::fanout::{Fanout, ReaderId, Settings, Slow, outlets};
use std::collections::VecDeque;

const READERS: usize = 6;
const FEEDS: usize = 3;
/// The line that tells of a gap begins so.
const GAP: &str = "gap ";

/// A line that a reader must get, unless it is told otherwise.
#[derive(Debug)]
struct Due {
    bytes: Vec<u8>,
    /// Of its feed, so that it may fall into a gap.
    is_public: bool,
}

/// A reader, as it knows itself.
#[derive(Debug, Default)]
struct Peer {
    is_here: bool,
    /// Which of the feeds it is in.
    feed: Option<usize>,
    due: VecDeque<Due>,
    /// What it got of a line whose end has not come.
    partial: Vec<u8>,
    /// Bytes that it takes before it blocks.
    space: usize,
    is_blocked: bool,
    /// Given up: only the end of a line begun may come.
    is_cut: bool,
}

struct World {
    fanout: Fanout,
    settings: Settings,
    feeds: [FeedId; FEEDS],
    peers: Vec<Peer>,
    now: u64,
    /// Lines published or sent.
    count: u64,
    delivered: u64,
    skipped: u64,
    /// Whether anybody went without having been written everything.
    lost: bool,
    /// Nobody speaks in a room that is held up, and no reader uses up its time: then there is no gap.
    is_patient: bool,
}

/// In whatever order readers join, part, stop, go on and go, and lines are published and sent: each gets its lines
/// in order, whole and once, or is told how many it missed; and in the end nothing is held.
pub fn fanout(data: &[u8]) {
    let mut draw = Draw(data);
    let mut world = World::new(draw.byte());
    while !draw.is_empty() {
        world.step(&mut draw);
        world.fanout.check_invariants();
    }
    world.finish();
}

impl World {
    fn new(kind: u8) -> Self {
        let slow = [Slow::Skip, Slow::Close, Slow::Wait, Slow::Wait][usize::from(kind & 3)];
        let gap = |lines| format!("{GAP}{lines}\n").into_bytes();
        let settings = Settings {
            backlog: 512 << (kind >> 2 & 3),
            slow,
            slow_timeout: 100_000,
            stall: u64::from(kind >> 4 & 1) * 100,
            gap: if kind >> 5 & 1 == 0 { Some(gap) } else { None },
        };
        let mut fanout = Fanout::new(settings);
        Self {
            feeds: [(); FEEDS].map(|()| fanout.open()),
            fanout,
            settings,
            peers: (0..READERS).map(|_| Peer::default()).collect(),
            now: 0,
            count: 0,
            delivered: 0,
            skipped: 0,
            lost: false,
            is_patient: slow == Slow::Wait && kind >> 6 & 1 == 0,
        }
    }

    fn step(&mut self, draw: &mut Draw<'_>) {
        let id = draw.below(READERS);
        let reader = id as ReaderId;
        let verb = draw.below(18);
        if !self.peers[id].is_here {
            self.fanout.add(reader);
            self.peers[id] = Peer {
                is_here: true,
                space: usize::MAX,
                ..Peer::default()
            };
            return self.join(id, draw);
        }
        let is_cut = self.peers[id].is_cut;
        match verb {
            0 => {
                self.lost |= self.fanout.is_pending(reader);
                self.fanout.remove(reader);
                self.peers[id] = Peer::default();
            }
            1 if !is_cut => {
                self.fanout.part(reader);
                self.peers[id].feed = None;
                self.join(id, draw);
            }
            2 | 3 if !is_cut => {
                let text = draw.text();
                self.send(id, &text);
            }
            4 => {
                self.peers[id].space = 0;
            }
            5 | 6 => {
                let more = 1 << draw.below(12);
                self.take(id, more);
            }
            7 => self.take(id, usize::MAX),
            8 => {
                let time = u64::from(draw.byte());
                self.now += if self.is_patient { time / 8 } else { time * 20 };
            }
            9 | 10 => self.flush(),
            11 => self.renew(draw.below(FEEDS)),
            // Lines of one's own between those of others: a queue of many pieces.
            12 => {
                for _ in 0..draw.pick(&[2, 5, 30, 300]) {
                    self.publish(self.peers[id].feed, None, 1, 8);
                    self.publish(self.peers[id].feed, Some(id), 1, 8);
                }
                self.flush();
            }
            13 if !self.is_patient => self.cut(id),
            14 if !self.is_patient => {
                let logs: Vec<_> = self.fanout.logs().collect();
                for (feed, held) in logs {
                    assert!(self.fanout.shed(feed) < held);
                }
            }
            _ => {
                let length = [8, 60, 200, 2_000][draw.below(4)];
                let author = draw.flag().then_some(id);
                let count = draw.below(20);
                let feed = self.peers[id].feed;
                match length {
                    // As many as are said at once.
                    60 if count > 1 => self.publish(feed, author, count as u64, length),
                    _ => (0..count).for_each(|_| self.publish(feed, author, 1, length)),
                }
                // A turn stays well below the backlog.
                if self.is_patient {
                    self.flush();
                }
            }
        }
    }

    fn join(&mut self, id: usize, draw: &mut Draw<'_>) {
        let feed = draw.below(FEEDS);
        self.fanout.join(id as ReaderId, self.feeds[feed]);
        self.peers[id].feed = Some(feed);
    }

    /// Closes a feed that nobody is in, and opens another in its place.
    fn renew(&mut self, feed: usize) {
        if self.peers.iter().all(|peer| peer.feed != Some(feed)) {
            self.fanout.close(self.feeds[feed]);
            self.feeds[feed] = self.fanout.open();
        }
    }

    fn publish(&mut self, feed: Option<usize>, author: Option<usize>, count: u64, length: usize) {
        let Some(feed) = feed else { return };
        let members = || (0..READERS).filter(|&id| self.peers[id].feed == Some(feed));
        if self.is_patient && members().any(|id| self.fanout.is_held(id as ReaderId)) {
            return;
        }
        let lines: Vec<String> = (1..=count)
            .map(|n| format!("{:0length$}\n", self.count + n))
            .collect();
        self.count += count;
        // What it says of its length may be more than it is.
        let most = lines.concat().len() + self.count as usize % 7;
        let author_id = author.map(|id| id as ReaderId);
        self.fanout
            .publish(self.feeds[feed], author_id, count, most, |out| {
                out.extend(lines.concat().bytes())
            });
        for id in members()
            .filter(|&id| Some(id) != author)
            .collect::<Vec<_>>()
        {
            self.delivered += count;
            self.peers[id].due.extend(lines.iter().map(|line| Due {
                bytes: line.clone().into_bytes(),
                is_public: true,
            }));
        }
    }

    fn send(&mut self, id: usize, text: &str) {
        self.count += 1;
        let bytes = format!("{} {text}\n", self.count).into_bytes();
        self.fanout.send(id as ReaderId, &bytes);
        self.peers[id].due.push_back(Due {
            bytes,
            is_public: false,
        });
    }

    fn take(&mut self, id: usize, more: usize) {
        let peer = &mut self.peers[id];
        peer.space = peer.space.saturating_add(more);
        peer.is_blocked = false;
        self.fanout.unblock(id as ReaderId);
    }

    fn flush(&mut self) {
        let Self { fanout, peers, .. } = self;
        let mut got = vec![Vec::new(); READERS];
        fanout.flush(
            self.now,
            &mut outlets(|id, slices| {
                let peer = &mut peers[id as usize];
                assert!(
                    peer.is_here && !peer.is_blocked,
                    "a write to {id}, who is not to be written to"
                );
                let (mut written, mut offered) = (0, 0);
                for slice in slices {
                    assert!(!slice.is_empty(), "a write of nothing");
                    let taken = slice.len().min(peer.space);
                    got[id as usize].extend_from_slice(&slice[..taken]);
                    peer.space -= if peer.space == usize::MAX { 0 } else { taken };
                    written += taken;
                    offered += slice.len();
                }
                peer.is_blocked = written < offered;
                written
            }),
        );
        for (id, bytes) in got.into_iter().enumerate() {
            self.hear(id, &bytes);
        }
        for id in self.fanout.take_too_slow() {
            let can_skip = self.settings.slow != Slow::Close && self.settings.gap.is_some();
            assert!(!can_skip && !self.is_patient, "{id} is given up");
            self.cut(id as usize);
        }
    }

    /// Only the line that a reader is in may still come.
    fn cut(&mut self, id: usize) {
        self.fanout.cut(id as ReaderId);
        self.lost = true;
        let peer = &mut self.peers[id];
        (peer.is_cut, peer.feed) = (true, None);
        // The rest of a line, but if that tells of a gap.
        let is_gap = peer.partial.starts_with(&GAP.as_bytes()[..1]);
        let is_inside = !is_gap && !peer.partial.is_empty();
        peer.due.truncate(usize::from(is_inside));
    }

    /// What a reader makes of what it got.
    fn hear(&mut self, id: usize, bytes: &[u8]) {
        for &byte in bytes {
            let peer = &mut self.peers[id];
            peer.partial.push(byte);
            if byte != b'\n' {
                continue;
            }
            let line = std::mem::take(&mut peer.partial);
            match line.strip_prefix(GAP.as_bytes()) {
                Some(rest) => {
                    let count = str::from_utf8(rest)
                        .ok()
                        .and_then(|rest| rest.trim_end().parse().ok());
                    self.miss(id, count.expect("a count"));
                }
                None => {
                    let due = self.peers[id].due.pop_front().map(|due| due.bytes);
                    assert_eq!(due.as_deref(), Some(&*line), "{id} got another line");
                }
            }
        }
        let peer = &self.peers[id];
        let next = peer.due.front().map(|due| &*due.bytes).unwrap_or_default();
        let is_begun = next.starts_with(&peer.partial) || GAP.as_bytes().starts_with(&peer.partial);
        assert!(
            is_begun || peer.partial.starts_with(GAP.as_bytes()),
            "{id} got the beginning of another line"
        );
    }

    /// The first lines still due are not to come, but what was for this reader alone is.
    fn miss(&mut self, id: usize, count: u64) {
        assert!(count > 0 && !self.is_patient, "{id} missed {count} lines");
        self.skipped += count;
        if self.peers[id].is_cut {
            return;
        }
        let mut left = count;
        self.peers[id].due.retain(|due| {
            let is_missed = due.is_public && left > 0;
            left -= u64::from(is_missed);
            !is_missed
        });
        assert_eq!(left, 0, "{id} is told of more lines than there were");
    }

    /// Everybody takes everything; then nothing is held any more.
    fn finish(&mut self) {
        for id in 0..READERS {
            if self.peers[id].is_here {
                self.take(id, usize::MAX);
            }
        }
        for _ in 0..3 {
            self.now += if self.is_patient { 1 } else { 200_000 };
            self.flush();
            self.fanout.check_invariants();
        }
        for (id, peer) in self.peers.iter().enumerate() {
            assert!(
                peer.partial.is_empty() && peer.due.is_empty(),
                "{id} lacks {:?}",
                peer.due
            );
            assert!(!peer.is_here || !self.fanout.is_pending(id as ReaderId));
            assert!(
                !peer.is_here || !self.fanout.is_held(id as ReaderId),
                "nobody is behind"
            );
        }
        let (logs, queues) = (self.fanout.logs().count(), self.fanout.queues().count());
        assert_eq!((logs, queues), (0, 0));
        assert_eq!(self.fanout.delivered(), self.delivered);
        assert!(self.lost || self.fanout.skipped() == self.skipped);
        for id in 0..READERS as ReaderId {
            if self.peers[id as usize].is_here {
                self.fanout.remove(id);
            }
        }
        for feed in self.feeds {
            self.fanout.close(feed);
        }
        self.flush();
        assert_eq!(self.fanout.memory(), 0);
    }
}
