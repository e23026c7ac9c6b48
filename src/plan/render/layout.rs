//! Where the boxes of one group go: a layered drawing from left to right (Sugiyama, Tagawa & Toda 1981).
//!
//! Each box stands in the layer behind all its predecessors; an edge that skips layers gets a bend in each of them.
//! Boxes of a layer are ordered by the middle of their neighbours, then shifted towards them as far as the order allows.
//! (Of the crates for this, none lays out groups within groups, and the one at hand takes exponential time on diamonds.)

use std::collections::HashMap;

/// Room between the boxes of a layer.
const BETWEEN: f64 = 18.0;
/// Room between bends.
const BENDS: f64 = 10.0;
/// Room between layers, without labels.
const LAYERS: f64 = 52.0;
/// Edges that skip more layers than this get no bends.
const FAR: usize = 40;
/// Sweeps over the layers, there and back.
const SWEEPS: usize = 8;

/// An edge between two boxes of the group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub from: usize,
    pub to: usize,
    /// Room that its label needs where it begins.
    pub leaves: f64,
    /// Room that its label needs where it ends.
    pub comes: f64,
}

/// Where everything goes. Coordinates begin at 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// Left upper corners, by box.
    pub places: Vec<(f64, f64)>,
    /// The bends of each edge: where it comes to a layer and where it leaves it.
    pub bends: Vec<Vec<(f64, f64)>>,
    pub width: f64,
    pub height: f64,
}

/// A box, or the bend of an edge.
struct Item {
    layer: usize,
    height: f64,
    middle: f64,
    /// A straight edge matters more than a box in the middle.
    weight: f64,
    left: Vec<usize>,
    right: Vec<usize>,
}

/// Lays out boxes of the given widths and heights: those that edges connect as drawings of their own, below each other.
pub(super) fn layout(sizes: &[(f64, f64)], edges: &[Edge]) -> Layout {
    let mut layout =
        Layout { places: vec![(0.0, 0.0); sizes.len()], bends: vec![Vec::new(); edges.len()], ..Layout::default() };
    let (parts, alone) = parts(sizes.len(), edges);
    let mut part_of = vec![0; sizes.len()];
    parts.iter().enumerate().for_each(|(part, boxes)| boxes.iter().for_each(|n| part_of[*n] = part));
    let mut edges_of = vec![Vec::new(); parts.len()];
    edges.iter().enumerate().for_each(|(n, edge)| edges_of[part_of[edge.from]].push(n));
    for (part, within) in parts.into_iter().zip(edges_of) {
        let place: HashMap<usize, usize> = part.iter().enumerate().map(|(n, of)| (*of, n)).collect();
        let own_sizes: Vec<_> = part.iter().map(|n| sizes[*n]).collect();
        let own_edges: Vec<Edge> = within
            .iter()
            .map(|n| Edge { from: place[&edges[*n].from], to: place[&edges[*n].to], ..edges[*n] })
            .collect();
        let own = Layered::new(&own_sizes, &own_edges).place(&own_sizes, &own_edges);
        let top = below(&layout);
        for (n, (x, y)) in part.iter().zip(own.places) {
            layout.places[*n] = (x, y + top);
        }
        for (n, bends) in within.into_iter().zip(own.bends) {
            layout.bends[n] = bends.into_iter().map(|(x, y)| (x, y + top)).collect();
        }
        layout.width = layout.width.max(own.width);
        layout.height = top + own.height;
    }
    let top = below(&layout);
    grid(&mut layout, sizes, &alone, top);
    layout
}

/// Where the next part begins.
fn below(layout: &Layout) -> f64 {
    if layout.height > 0.0 { layout.height + BETWEEN } else { 0.0 }
}

/// The boxes that edges connect with each other, each set in order, and those without an edge.
fn parts(count: usize, edges: &[Edge]) -> (Vec<Vec<usize>>, Vec<usize>) {
    let mut near = vec![Vec::new(); count];
    for edge in edges {
        near[edge.from].push(edge.to);
        near[edge.to].push(edge.from);
    }
    let mut seen = vec![false; count];
    let (mut parts, mut alone) = (Vec::new(), Vec::new());
    for first in 0..count {
        if near[first].is_empty() {
            alone.push(first);
        } else if !seen[first] {
            seen[first] = true;
            let mut part = vec![first];
            let mut at = 0;
            while let Some(n) = part.get(at).copied() {
                for other in &near[n] {
                    if !std::mem::replace(&mut seen[*other], true) {
                        part.push(*other);
                    }
                }
                at += 1;
            }
            part.sort_unstable();
            parts.push(part);
        }
    }
    (parts, alone)
}

/// Boxes without edges, in rows, about as wide as they are high.
fn grid(layout: &mut Layout, sizes: &[(f64, f64)], boxes: &[usize], top: f64) {
    let area: f64 = boxes.iter().map(|n| (sizes[*n].0 + BETWEEN) * (sizes[*n].1 + BETWEEN)).sum();
    // A few stand below each other, as steps that run side by side do elsewhere.
    let widest = if boxes.len() <= 4 { 0.0 } else { (area * 2.0).sqrt().max(layout.width) };
    let (mut x, mut y, mut row) = (0.0, top, 0.0f64);
    for n in boxes {
        let (width, height) = sizes[*n];
        if x > 0.0 && x + width > widest {
            (x, y, row) = (0.0, y + row + BETWEEN, 0.0);
        }
        layout.places[*n] = (x, y);
        layout.width = layout.width.max(x + width);
        layout.height = layout.height.max(y + height);
        x += width + BETWEEN;
        row = row.max(height);
    }
}

struct Layered {
    items: Vec<Item>,
    /// The items of each layer, from top to bottom.
    layers: Vec<Vec<usize>>,
    /// The bends of each edge, as items.
    bends: Vec<Vec<usize>>,
}

impl Layered {
    fn new(sizes: &[(f64, f64)], edges: &[Edge]) -> Self {
        let of = rank(sizes.len(), edges);
        let mut items: Vec<Item> = sizes
            .iter()
            .zip(&of)
            .map(|((_, height), layer)| Item {
                layer: *layer,
                height: *height,
                middle: 0.0,
                weight: 1.0,
                left: Vec::new(),
                right: Vec::new(),
            })
            .collect();
        let mut bends = vec![Vec::new(); edges.len()];
        let link = |items: &mut Vec<Item>, from: usize, to: usize| {
            items[from].right.push(to);
            items[to].left.push(from);
        };
        for (edge, bends) in edges.iter().zip(&mut bends) {
            let (from, to) = (of[edge.from], of[edge.to]);
            let mut before = edge.from;
            if to > from && to - from <= FAR {
                for layer in from + 1..to {
                    let (left, right) = (Vec::new(), Vec::new());
                    let bend = items.len();
                    items.push(Item { layer, height: 0.0, middle: 0.0, weight: 4.0, left, right });
                    link(&mut items, before, bend);
                    before = bend;
                    bends.push(bend);
                }
                link(&mut items, before, edge.to);
            }
        }
        let count = items.iter().map(|item| item.layer + 1).max().unwrap_or(0);
        let mut layers = vec![Vec::new(); count];
        for (n, item) in items.iter().enumerate() {
            layers[item.layer].push(n);
        }
        Layered { items, layers, bends }
    }

    fn place(mut self, sizes: &[(f64, f64)], edges: &[Edge]) -> Layout {
        let mut layout = Layout {
            places: vec![(0.0, 0.0); sizes.len()],
            bends: vec![Vec::new(); edges.len()],
            width: 0.0,
            height: 0.0,
        };
        if self.layers.iter().all(Vec::is_empty) {
            return layout;
        }
        self.order();
        self.shift();
        let top = self.layers.iter().flatten().map(|n| self.items[*n].middle - self.items[*n].height / 2.0);
        let top = top.fold(f64::INFINITY, f64::min);
        let (left, widths) = self.columns(sizes, edges);
        for (layer, items) in self.layers.iter().enumerate() {
            for n in items {
                let (item, y) = (&self.items[*n], self.items[*n].middle - top);
                layout.height = layout.height.max(y + item.height / 2.0);
                if let Some((width, height)) = sizes.get(*n) {
                    layout.places[*n] = (left[layer], y - height / 2.0);
                    layout.width = layout.width.max(left[layer] + width);
                }
            }
        }
        for (bends, route) in self.bends.iter().zip(&mut layout.bends) {
            for n in bends {
                let (item, y) = (&self.items[*n], self.items[*n].middle - top);
                route.push((left[item.layer], y));
                route.push((left[item.layer] + widths[item.layer], y));
            }
        }
        layout
    }

    /// Where each layer begins, and how wide it is. Labels need room between the layers.
    fn columns(&self, sizes: &[(f64, f64)], edges: &[Edge]) -> (Vec<f64>, Vec<f64>) {
        let widths: Vec<f64> = self
            .layers
            .iter()
            .map(|layer| layer.iter().filter_map(|n| sizes.get(*n)).map(|size| size.0).fold(0.0, f64::max))
            .collect();
        let mut gaps = vec![LAYERS; self.layers.len()];
        let mut reserve = |layer: usize, label: f64| {
            if let Some(gap) = gaps.get_mut(layer).filter(|_| label > 0.0) {
                *gap = gap.max(label + 36.0);
            }
        };
        for edge in edges {
            reserve(self.items[edge.from].layer + 1, edge.leaves);
            reserve(self.items[edge.to].layer, edge.comes);
        }
        let mut x = 0.0;
        let mut left = Vec::new();
        for (n, width) in widths.iter().enumerate() {
            x += if n > 0 { gaps[n] } else { 0.0 };
            left.push(x);
            x += width;
        }
        (left, widths)
    }

    /// Orders the layers by the middle of the neighbours, to the right and to the left; the order with the fewest
    /// crossings is kept.
    fn order(&mut self) {
        let mut place = vec![0usize; self.items.len()];
        let set = |layers: &[Vec<usize>], place: &mut [usize]| {
            layers.iter().for_each(|layer| layer.iter().enumerate().for_each(|(at, n)| place[*n] = at));
        };
        set(&self.layers, &mut place);
        let mut best = (self.crossings(&place), self.layers.clone());
        for sweep in 0..SWEEPS {
            if best.0 == 0 {
                break;
            }
            let right = sweep % 2 == 0;
            let count = self.layers.len();
            for step in 1..count {
                let layer = if right { step } else { count - 1 - step };
                let mut keyed: Vec<(f64, usize)> = self.layers[layer]
                    .iter()
                    .map(|n| {
                        let near = if right { &self.items[*n].left } else { &self.items[*n].right };
                        let sum: usize = near.iter().map(|n| place[*n]).sum();
                        (if near.is_empty() { place[*n] as f64 } else { sum as f64 / near.len() as f64 }, *n)
                    })
                    .collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.layers[layer] = keyed.into_iter().map(|(_, n)| n).collect();
                self.layers[layer].iter().enumerate().for_each(|(at, n)| place[*n] = at);
            }
            let crossings = self.crossings(&place);
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
    }

    /// Pairs of edges that cross, counted by a tree of sums (Barth, Jünger & Mutzel 2002).
    fn crossings(&self, place: &[usize]) -> usize {
        let mut total = 0;
        for layer in &self.layers {
            let mut ends: Vec<usize> = Vec::new();
            for n in layer {
                let start = ends.len();
                ends.extend(self.items[*n].right.iter().map(|to| place[*to]));
                ends[start..].sort_unstable();
            }
            let size = ends.iter().max().map_or(0, |max| max + 1);
            let mut sums = vec![0usize; size + 1];
            for (seen, end) in ends.iter().enumerate() {
                // How many of those before end at or above this one?
                let (mut at, mut above) = (end + 1, 0);
                while at > 0 {
                    above += sums[at];
                    at -= at & at.wrapping_neg();
                }
                total += seen - above;
                at = end + 1;
                while at <= size {
                    sums[at] += 1;
                    at += at & at.wrapping_neg();
                }
            }
        }
        total
    }

    /// Shifts every item towards the middle of its neighbours, without changing the order in its layer.
    fn shift(&mut self) {
        for layer in &self.layers {
            let mut y = 0.0;
            for n in layer {
                let item = &mut self.items[*n];
                item.middle = y + item.height / 2.0;
                y += item.height + if item.height > 0.0 { BETWEEN } else { BENDS };
            }
        }
        for sweep in 0..SWEEPS * 2 {
            let right = sweep % 2 == 0;
            let count = self.layers.len();
            for step in 0..count {
                let layer = if right { step } else { count - 1 - step };
                let wanted: Vec<f64> = self.layers[layer]
                    .iter()
                    .map(|n| {
                        let item = &self.items[*n];
                        let near: &[usize] = match (right, sweep + 2 >= SWEEPS * 2) {
                            (_, true) if !item.left.is_empty() && !item.right.is_empty() => {
                                let all = item.left.iter().chain(&item.right).map(|n| self.items[*n].middle);
                                return all.sum::<f64>() / (item.left.len() + item.right.len()) as f64;
                            }
                            (true, _) => &item.left,
                            (false, _) => &item.right,
                        };
                        match near.is_empty() {
                            true => item.middle,
                            false => near.iter().map(|n| self.items[*n].middle).sum::<f64>() / near.len() as f64,
                        }
                    })
                    .collect();
                self.settle(layer, &wanted);
            }
        }
    }

    /// The places nearest to the wanted ones that keep the order and the distances: least squares by pooling
    /// neighbours that are too close (Ayer et al. 1955).
    fn settle(&mut self, layer: usize, wanted: &[f64]) {
        let items = &self.layers[layer];
        let mut offset = 0.0;
        let mut offsets = Vec::with_capacity(items.len());
        for (at, n) in items.iter().enumerate() {
            if at > 0 {
                let (above, here) = (&self.items[items[at - 1]], &self.items[*n]);
                let bend = above.height == 0.0 && here.height == 0.0;
                offset += (above.height + here.height) / 2.0 + if bend { BENDS } else { BETWEEN };
            }
            offsets.push(offset);
        }
        // Pools: mean, weight, how many.
        let mut pools: Vec<(f64, f64, usize)> = Vec::new();
        for (at, n) in items.iter().enumerate() {
            let mut pool = (wanted[at] - offsets[at], self.items[*n].weight, 1);
            while let Some(above) = pools.pop_if(|above| above.0 > pool.0) {
                let weight = above.1 + pool.1;
                pool = ((above.0 * above.1 + pool.0 * pool.1) / weight, weight, above.2 + pool.2);
            }
            pools.push(pool);
        }
        let mut at = 0;
        for (mean, _, count) in pools {
            for _ in 0..count {
                self.items[items[at]].middle = mean + offsets[at];
                at += 1;
            }
        }
    }
}

/// The layer of each box: behind all its predecessors; boxes without any stand just before their first successor.
fn rank(count: usize, edges: &[Edge]) -> Vec<usize> {
    let mut next = vec![Vec::new(); count];
    let mut missing = vec![0usize; count];
    for edge in edges {
        next[edge.from].push(edge.to);
        missing[edge.to] += 1;
    }
    let first: Vec<usize> = (0..count).filter(|n| missing[*n] == 0).collect();
    let mut layer = vec![0usize; count];
    let mut free = first.clone();
    while let Some(n) = free.pop() {
        for to in &next[n] {
            layer[*to] = layer[*to].max(layer[n] + 1);
            missing[*to] -= 1;
            if missing[*to] == 0 {
                free.push(*to);
            }
        }
    }
    for n in first {
        if let Some(nearest) = next[n].iter().map(|to| layer[*to]).min() {
            layer[n] = nearest.saturating_sub(1);
        }
    }
    layer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: usize, to: usize) -> Edge {
        Edge { from, to, leaves: 0.0, comes: 0.0 }
    }

    fn overlap(sizes: &[(f64, f64)], layout: &Layout) -> bool {
        let boxes: Vec<_> = layout.places.iter().zip(sizes).collect();
        boxes.iter().enumerate().any(|(n, ((ax, ay), (aw, ah)))| {
            boxes[..n]
                .iter()
                .any(|((bx, by), (bw, bh))| ax < &(bx + bw) && bx < &(ax + aw) && ay < &(by + bh) && by < &(ay + ah))
        })
    }

    #[test]
    fn a_diamond_stands_straight() {
        let sizes = [(100.0, 40.0); 4];
        let layout = layout(&sizes, &[edge(0, 1), edge(0, 2), edge(1, 3), edge(2, 3)]);
        assert!(!overlap(&sizes, &layout));
        let middle = |n: usize| layout.places[n].1 + 20.0;
        assert_eq!(middle(0), middle(3));
        assert_eq!((middle(1) + middle(2)) / 2.0, middle(0));
        assert!(layout.places[0].0 < layout.places[1].0 && layout.places[1].0 < layout.places[3].0);
    }

    #[test]
    fn boxes_never_overlap_and_long_edges_have_bends() {
        // Numbers of no order, always the same.
        let mut seed = 7u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for round in 0..60 {
            let count = 2 + round;
            let sizes: Vec<_> = (0..count).map(|_| (20.0 + random(100) as f64, 10.0 + random(80) as f64)).collect();
            let edges: Vec<_> = (0..count)
                .map(|_| {
                    let to = 1 + random(count - 1);
                    edge(random(to), to)
                })
                .collect();
            let layout = layout(&sizes, &edges);
            assert!(!overlap(&sizes, &layout), "round {round}");
            for (edge, bends) in edges.iter().zip(&layout.bends) {
                assert!(layout.places[edge.from].0 < layout.places[edge.to].0, "round {round}");
                assert!(bends.len() % 2 == 0);
            }
        }
    }

    #[test]
    fn edges_cross_no_more_than_they_must() {
        let sizes = [(50.0, 20.0); 6];
        let layout = layout(&sizes, &[edge(0, 5), edge(1, 4), edge(2, 3)]);
        let y = |n: usize| layout.places[n].1;
        assert!((y(0) < y(1)) == (y(5) < y(4)) && (y(1) < y(2)) == (y(4) < y(3)));
    }
}
