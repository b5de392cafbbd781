//! What lies in the queues, and what becomes of it as it is sent, received and worked off.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use time::OffsetDateTime;

use super::message::{Attribute, Message, Place};
use crate::{standins::Fault, template::Queue};

/// How soon a message that a function has failed on is seen again, unless told otherwise.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// Largest text of one event's messages: well below what a function can be given.
const MAX_BATCH: usize = 5 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct State {
    pub queues: Vec<Line>,
    pub fault: Fault,
    /// Functions are given nothing more.
    pub is_paused: bool,
    pub retry_after: Duration,
    /// So many of the next messages for functions are delivered twice.
    pub duplicates: usize,
    /// What messages are drawn by, where they are to come out of order.
    pub random: Option<u64>,
}

/// One queue and what lies in it, oldest first.
#[derive(Debug)]
pub(super) struct Line {
    pub queue: Queue,
    pub messages: Vec<Message>,
    /// Whether a function is fed from it.
    pub is_fed: bool,
}

/// What is to be put into a queue.
#[derive(Debug, Default)]
pub(super) struct Letter {
    pub body: String,
    pub attributes: BTreeMap<String, Attribute>,
    pub sender: String,
    pub delay: Option<Duration>,
}

/// How messages are received.
#[derive(Clone, Copy, Debug)]
pub(super) enum Receiver {
    /// For a function: they are out of sight until it is done.
    Function,
    /// By a call: they are hidden for so long.
    Call(Duration),
}

impl State {
    pub(super) fn new(queues: &[Queue]) -> Self {
        let line =
            |queue: &Queue| Line { queue: queue.clone(), messages: Vec::new(), is_fed: false };
        Self {
            queues: queues.iter().map(line).collect(),
            fault: Fault::None,
            is_paused: false,
            retry_after: RETRY_AFTER,
            duplicates: 0,
            random: None,
        }
    }

    /// The queue of this logical id, name, URL or ARN.
    pub(super) fn find(&self, queue: &str) -> Option<usize> {
        let name = queue.rsplit(['/', ':']).next().unwrap_or(queue);
        self.queues.iter().position(|it| it.queue.name == name || it.queue.id == name)
    }

    /// Makes a message of `letter`, without putting it anywhere.
    pub(super) fn message(&self, at: usize, letter: Letter, now: OffsetDateTime) -> Message {
        let delay = letter.delay.unwrap_or(self.queues[at].queue.delay);
        Message {
            id: uuid::Uuid::new_v4().to_string(),
            body: letter.body,
            attributes: letter.attributes,
            sender: letter.sender,
            sent_at: now,
            receive_count: 0,
            first_received_at: None,
            dead_from: None,
            receipt: String::new(),
            place: if delay.is_zero() { Place::Waiting } else { Place::Delayed(now + delay) },
            is_copy: false,
        }
    }

    /// Receives at most `max` messages. The second part says whether another queue got some of them.
    pub(super) fn receive(
        &mut self,
        at: usize,
        max: usize,
        receiver: Receiver,
        now: OffsetDateTime,
    ) -> (Vec<Message>, bool) {
        self.forget_old(now);
        let has_moved = self.bury(at, now);
        let messages = &mut self.queues[at].messages;
        let mut visible: Vec<usize> =
            (0..messages.len()).filter(|it| messages[*it].is_visible(now)).collect();
        if let Some(random) = &mut self.random {
            shuffle(&mut visible, random);
        }
        let (mut taken, mut copies, mut size) = (Vec::new(), Vec::new(), 0);
        for it in visible.into_iter().take(max) {
            let message = &mut messages[it];
            // Escaped, a text can be twice as long.
            size += 2 * message.size();
            if size > MAX_BATCH && !taken.is_empty() {
                break;
            }
            message.receive_count += 1;
            message.first_received_at.get_or_insert(now);
            if matches!(receiver, Receiver::Function) && self.duplicates > 0 && !message.is_copy {
                self.duplicates -= 1;
                copies.push(Message { is_copy: true, place: Place::Waiting, ..message.clone() });
            }
            message.receipt = format!("{}.{}", message.id, uuid::Uuid::new_v4());
            message.place = match receiver {
                Receiver::Function => Place::Working,
                Receiver::Call(hidden) => Place::Hidden { until: now + hidden, retry: None },
            };
            taken.push(message.clone());
        }
        messages.extend(copies);
        (taken, has_moved)
    }

    /// A function is done with the message of this receipt.
    pub(super) fn finish(&mut self, at: usize, receipt: &str, failed: bool, now: OffsetDateTime) {
        let (line, retry) = (&mut self.queues[at], Instant::now() + self.retry_after);
        let until = now + line.queue.visibility;
        line.messages.retain_mut(|it| {
            let is_it = it.receipt == receipt;
            if is_it && failed {
                it.place = Place::Hidden { until, retry: Some(retry) };
            }
            !is_it || (failed && !it.is_copy)
        });
    }

    /// Moves what has been received too often to the queue of dead letters.
    fn bury(&mut self, at: usize, now: OffsetDateTime) -> bool {
        let Some(policy) = self.queues[at].queue.dead_letters.clone() else { return false };
        let Some(target) = self.find(&policy.target) else { return false };
        let line = &mut self.queues[at];
        let from = line.queue.arn();
        let is_dead = |it: &mut Message| {
            it.receive_count >= policy.max_receives && it.is_visible(now) && !it.is_copy
        };
        let dead: Vec<Message> = line.messages.extract_if(.., is_dead).collect();
        let has_some = !dead.is_empty();
        self.queues[target].messages.extend(dead.into_iter().map(|it| Message {
            place: Place::Waiting,
            dead_from: Some(from.clone()),
            ..it
        }));
        has_some
    }

    /// Moves every dead letter back to where it was sent to; how many there were.
    pub(super) fn redrive(&mut self, at: usize) -> usize {
        let mut moved = 0;
        for message in std::mem::take(&mut self.queues[at].messages) {
            let from = message.dead_from.as_deref().and_then(|name| self.find(name));
            let back = Message {
                receive_count: 0,
                first_received_at: None,
                dead_from: None,
                place: Place::Waiting,
                ..message.clone()
            };
            match from.filter(|_| !matches!(message.place, Place::Working)) {
                Some(from) => {
                    self.queues[from].messages.push(back);
                    moved += 1;
                }
                // Sent here by whoever sent it, or being worked on.
                None => self.queues[at].messages.push(message),
            }
        }
        moved
    }

    /// Deletes what has been kept for long enough.
    pub(super) fn forget_old(&mut self, now: OffsetDateTime) {
        for line in &mut self.queues {
            let kept = line.queue.retention;
            line.messages
                .retain(|it| it.sent_at + kept > now || matches!(it.place, Place::Working));
        }
    }

    /// Whether there is something that a function is working on, or is going to be given without
    /// the clock moving.
    pub(super) fn is_pending(&self, now: OffsetDateTime) -> bool {
        let messages = self.queues.iter().filter(|it| it.is_fed).flat_map(|it| &it.messages);
        messages.into_iter().any(|it| match it.place {
            Place::Working => true,
            Place::Hidden { retry: Some(_), .. } => !self.is_paused,
            _ => !self.is_paused && it.is_visible(now),
        })
    }

    pub(super) fn depth(&self, at: usize, now: OffsetDateTime) -> (usize, usize) {
        let messages = &self.queues[at].messages;
        let visible = messages.iter().filter(|it| it.is_visible(now)).count();
        (visible, messages.iter().filter(|it| it.is_in_flight(now)).count())
    }
}

/// Fisher and Yates with splitmix64: the same order for the same seed.
fn shuffle(items: &mut [usize], random: &mut u64) {
    for last in (1..items.len()).rev() {
        *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // The remainder is below `last + 1`, which is a usize.
        items.swap(last, usize::try_from(z % (last as u64 + 1)).unwrap_or(last));
    }
}
