//! The search for the placement that moves the least: every one where there are few, else greedy with swaps.
//!
//! Every host gets as many bricks as any other, or one more. Of equals the first is taken, in the order of hosts, which is
//! that of their names: nothing else decides.

use super::traffic::{Data, Traffic, Work};

/// How many users of data are looked at before what was found so far is taken: some tenths of a second. The planner
/// places bricks on some tens of grids.
const VISITS_MAX: u64 = 500_000;
/// The most bricks of which all placements are counted: 16! fits into 64 bits.
const COUNTED_MAX: usize = 16;

/// The host of each brick.
pub(super) fn place(work: &Work) -> Vec<usize> {
    if work.bricks == 0 || work.hosts <= 1 {
        return vec![0; work.bricks];
    }
    let users: usize = work.data.iter().map(|data| data.users.len()).sum();
    let visits = (users + work.passes.len() + work.racks.len()) as u64;
    if assignments(work.bricks, work.hosts).saturating_mul(visits) <= VISITS_MAX {
        return best_of_all(work);
    }
    let starts = [work.spread(), greedy(work)];
    let mut swapped = starts.map(|places| {
        let mut swapping = Swapping::new(work, places);
        swapping.run();
        (swapping.traffic.cost(), swapping.places)
    });
    let [(spread, _), (greedy, _)] = &swapped;
    let best = usize::from(greedy < spread);
    std::mem::take(&mut swapped[best].1)
}

/// How many ways there are to put so many bricks on hosts, as many on each or one more; saturates.
fn assignments(bricks: usize, hosts: usize) -> u64 {
    if bricks > COUNTED_MAX {
        return u64::MAX;
    }
    let (each, more) = (bricks / hosts, bricks % hosts);
    let factorial = |n: usize| (1..=n as u64).product::<u64>();
    // Bricks in any order, but their order on a host does not matter, and any hosts have one more.
    let mut ways = factorial(bricks);
    for host in 0..hosts.min(bricks) {
        ways /= factorial(each + usize::from(host < more));
    }
    let mut choices = 1u64;
    for index in 0..more as u64 {
        choices = choices.saturating_mul(hosts as u64 - index) / (index + 1);
    }
    ways.saturating_mul(choices)
}

/// How many bricks hosts may still get.
#[derive(Clone, Debug)]
struct Room {
    each: usize,
    /// Hosts that may have one more.
    more: usize,
    count: Vec<usize>,
}

impl Room {
    fn of(work: &Work) -> Room {
        Room { each: work.bricks / work.hosts, more: work.bricks % work.hosts, count: vec![0; work.hosts] }
    }

    fn take(&mut self, host: usize) -> bool {
        if self.count[host] == self.each && self.more > 0 {
            self.more -= 1;
        } else if self.count[host] >= self.each {
            return false;
        }
        self.count[host] += 1;
        true
    }

    fn give_back(&mut self, host: usize) {
        self.count[host] -= 1;
        self.more += usize::from(self.count[host] == self.each);
    }
}

fn best_of_all(work: &Work) -> Vec<usize> {
    /// Places the bricks from `brick` on in every way.
    fn go(
        work: &Work,
        places: &mut Vec<usize>,
        room: &mut Room,
        best: &mut Option<((u128, u128), Vec<usize>)>,
    ) {
        if places.len() == work.bricks {
            let cost = work.traffic(places).cost();
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                *best = Some((cost, places.clone()));
            }
            return;
        }
        for host in 0..work.hosts {
            if room.take(host) {
                places.push(host);
                go(work, places, room, best);
                places.pop();
                room.give_back(host);
            }
        }
    }
    let mut best = None;
    go(work, &mut Vec::with_capacity(work.bricks), &mut Room::of(work), &mut best);
    best.map_or_else(|| work.spread(), |(_, places)| places)
}

/// Each brick on the host that holds most of what it needs, those first that have most to gain; the rest in their order.
fn greedy(work: &Work) -> Vec<usize> {
    let mut held: Vec<(usize, usize, u64)> = Vec::new();
    for Data { bytes, holders, users } in &work.data {
        for &holder in holders.iter().filter(|&&holder| holder < work.hosts) {
            held.extend(users.iter().map(|&user| (user, holder, *bytes)));
        }
    }
    held.sort_unstable();
    held.dedup_by(|next, first| {
        let same = (next.0, next.1) == (first.0, first.1);
        if same {
            first.2 = first.2.saturating_add(next.2);
        }
        same
    });
    held.sort_by(|a, b| b.2.cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
    let mut room = Room::of(work);
    let mut places: Vec<Option<usize>> = vec![None; work.bricks];
    for (brick, host, _) in held {
        if places[brick].is_none() && room.take(host) {
            places[brick] = Some(host);
        }
    }
    let mut host = 0;
    let mut next = || {
        while host + 1 < work.hosts && !room.take(host) {
            host += 1;
        }
        host
    };
    places.into_iter().map(|place| place.unwrap_or_else(&mut next)).collect()
}

/// A placement that gets better by swaps of two bricks, and by moves where a host has one more than another.
struct Swapping<'a> {
    work: &'a Work,
    places: Vec<usize>,
    traffic: Traffic<'a>,
    count: Vec<usize>,
    /// The data that each brick uses, and what passes between it and others.
    data_of: Vec<Vec<usize>>,
    passes_of: Vec<Vec<usize>>,
    visits: u64,
}

impl<'a> Swapping<'a> {
    fn new(work: &'a Work, places: Vec<usize>) -> Swapping<'a> {
        let (mut data_of, mut passes_of) = (vec![Vec::new(); work.bricks], vec![Vec::new(); work.bricks]);
        for (index, data) in work.data.iter().enumerate() {
            data.users.iter().for_each(|&user| data_of[user].push(index));
        }
        for (index, pass) in work.passes.iter().enumerate() {
            passes_of[pass.from].push(index);
            passes_of[pass.to].push(index);
        }
        let mut count = vec![0; work.hosts];
        places.iter().for_each(|&host| count[host] += 1);
        let traffic = work.traffic(&places);
        Swapping { work, places, traffic, count, data_of, passes_of, visits: 0 }
    }

    fn run(&mut self) {
        let mut better = true;
        while better {
            better = false;
            for brick in 0..self.work.bricks {
                for other in brick + 1..self.work.bricks {
                    better |= self.swap(brick, other);
                    if self.is_enough() {
                        return;
                    }
                }
                for host in 0..self.work.hosts {
                    better |= self.shift(brick, host);
                    if self.is_enough() {
                        return;
                    }
                }
            }
        }
    }

    fn is_enough(&mut self) -> bool {
        self.visits += 1;
        self.visits > VISITS_MAX
    }

    fn swap(&mut self, brick: usize, other: usize) -> bool {
        let (here, there) = (self.places[brick], self.places[other]);
        here != there && self.try_places(&[(brick, there), (other, here)])
    }

    fn shift(&mut self, brick: usize, to: usize) -> bool {
        let from = self.places[brick];
        let kept = self.count[from] > self.count[to] && self.try_places(&[(brick, to)]);
        if kept {
            self.count[from] -= 1;
            self.count[to] += 1;
        }
        kept
    }

    /// Moves bricks, and moves them back where that is no better.
    fn try_places(&mut self, moved: &[(usize, usize)]) -> bool {
        let all = |of: &[Vec<usize>]| {
            let mut touched: Vec<usize> =
                moved.iter().flat_map(|&(brick, _)| of[brick].iter().copied()).collect();
            touched.sort_unstable();
            touched.dedup();
            touched
        };
        let touched = (all(&self.data_of), all(&self.passes_of));
        let (before, old) =
            (self.traffic.cost(), moved.iter().map(|&(brick, _)| (brick, self.places[brick])));
        let old: Vec<(usize, usize)> = old.collect();
        self.change(&touched, moved);
        if self.traffic.cost() < before {
            return true;
        }
        self.change(&touched, &old);
        false
    }

    fn change(&mut self, (data, passes): &(Vec<usize>, Vec<usize>), moved: &[(usize, usize)]) {
        use super::traffic::Flow::Passed;
        let Swapping { work, places, traffic, visits, .. } = self;
        *visits += (passes.len() + work.racks.len()) as u64;
        for data in data.iter().map(|&index| &work.data[index]) {
            *visits += data.users.len() as u64;
            work.flows_of(data, places, &mut |flow, bytes| traffic.take(flow, bytes));
        }
        let passed = |places: &[usize], index: usize| {
            let pass = &work.passes[index];
            (Passed { from: places[pass.from], to: places[pass.to] }, pass.bytes)
        };
        for &index in passes {
            let (flow, bytes) = passed(places, index);
            traffic.take(flow, bytes);
        }
        moved.iter().for_each(|&(brick, host)| places[brick] = host);
        for data in data.iter().map(|&index| &work.data[index]) {
            work.flows_of(data, places, &mut |flow, bytes| traffic.add(flow, bytes));
        }
        for &index in passes {
            let (flow, bytes) = passed(places, index);
            traffic.add(flow, bytes);
        }
    }
}
