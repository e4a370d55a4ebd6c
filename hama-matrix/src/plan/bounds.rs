//! What no plan can be better than: words between peers, and words between store and memory.

use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// Lower bounds of a classical multiplication, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Bytes that some peer has to receive, where inputs and result are spread evenly: Al Daas, Ballard,
    /// Grigori, Kumar and Rouse, "Tight memory-independent parallel matrix multiplication communication
    /// lower bounds", theorem 3 (arXiv 2205.13407). Where the product is symmetric, what its half below the diagonal
    /// needs by the same reasoning (with Verite, "Communication lower bounds and optimal algorithms for symmetric
    /// matrix computations", arXiv 2409.11304).
    pub received_bytes: f64,
    /// Bytes that have to move between store and memory: each operand and the result once, and
    /// 2 m n k / sqrt(M) - 2 M words for a memory of M words (Smith, Lowery, Langou and van de Geijn,
    /// arXiv 1702.02017); where the product is symmetric, the one operand and the result once, and 1 / sqrt(8) of
    /// the leading term (Beaumont, Eyraud-Dubois, Verite and Langou, arXiv 2202.10217).
    pub moved_bytes: f64,
}

impl Bounds {
    pub(super) fn of(problem: &Problem, peers: u64, memory_bytes: u64) -> Bounds {
        let word = problem.element.size_bytes() as f64;
        let memory = memory_bytes as f64 / word;
        let flop = 2.0 * problem.m as f64 * problem.n as f64 * problem.k as f64;
        let [a, b, c] = problem.elements();
        let (once, received, repeated) = if problem.symmetric {
            (a + c, received_words_of_half(problem, peers as f64), flop / (8.0 * memory).sqrt())
        } else {
            (a + b + c, received_words(problem, peers as f64), flop / memory.sqrt())
        };
        Bounds { received_bytes: received * word, moved_bytes: once.max(repeated - 2.0 * memory) * word }
    }
}

/// What some peer has to receive for the elements of A times its transpose below the diagonal.
///
/// It makes n (n - 1) k / 2 p of the products. From `a` elements of A, for `c` elements of C, come at most a
/// sqrt(c / 2) of them: both the products and their mirror images are points of one lattice, 2 V of them over a, a and
/// 2 c (Loomis and Whitney). The least a + c is searched where c is no more than there are elements, nor a.
fn received_words_of_half(problem: &Problem, p: f64) -> f64 {
    let (n, k) = (problem.m as f64, problem.k as f64);
    let below = n * (n - 1.0) / 2.0;
    let products = below * k / p;
    if products <= 0.0 {
        return 0.0;
    }
    // d/dc (sqrt(2 / c) V + c) = 0.
    let c = (products / 2f64.sqrt()).powf(2.0 / 3.0).max(2.0 * (products / n / k).powi(2)).min(below);
    let a = products * (2.0 / c).sqrt();
    (a + c - (n * k + n * (n + 1.0) / 2.0) / p).max(0.0)
}

fn received_words(problem: &Problem, p: f64) -> f64 {
    let mut dimensions = [problem.m as f64, problem.n as f64, problem.k as f64];
    dimensions.sort_by(|a, b| b.total_cmp(a));
    let [m, n, k] = dimensions;
    let accessed = if p <= m / n {
        (m * n + m * k) / p + n * k
    } else if p <= m * n / (k * k) {
        2.0 * (m * n * k * k / p).sqrt() + m * n / p
    } else {
        3.0 * (m * n * k / p).powf(2.0 / 3.0)
    };
    (accessed - (m * n + m * k + n * k) / p).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hama_hdfs::{ElementType, Extent};

    fn problem(m: u64, n: u64, k: u64) -> Problem {
        let extent = |rows, cols| Extent { rows, cols };
        Problem::new(ElementType::F64, (extent(m, k), false), (extent(k, n), false)).unwrap()
    }

    #[test]
    fn one_peer_receives_nothing() {
        assert_eq!(received_words(&problem(4000, 4000, 4000), 1.0), 0.0);
        assert_eq!(received_words(&problem(4000, 20, 7), 1.0), 0.0);
    }

    /// The three cases of the theorem, computed by hand for m = 9600, n = 2400, k = 600 as in its figure 2.
    #[test]
    fn the_three_cases() {
        let problem = problem(9600, 2400, 600);
        let once = |p: f64| (9600.0 * 2400.0 + 9600.0 * 600.0 + 2400.0 * 600.0) / p;
        let words = |p| received_words(&problem, p);
        assert!((words(3.0) - ((9600.0 * 2400.0 + 9600.0 * 600.0) / 3.0 + 1.44e6 - once(3.0))).abs() < 1.0);
        let middle = 2.0 * (9600.0f64 * 2400.0 * 360_000.0 / 36.0).sqrt() + 640_000.0;
        assert!((words(36.0) - (middle - once(36.0))).abs() < 1.0);
        // 9600 * 2400 * 600 / 512 = 300^3.
        assert!((words(512.0) - (3.0 * 90_000.0 - once(512.0))).abs() < 1.0);
    }

    #[test]
    fn half_a_product_needs_less() {
        for (n, k) in [(8000, 8000), (64, 100_000), (20_000, 10), (1, 5)] {
            let full = problem(n, n, k);
            let half = Problem { symmetric: true, ..full };
            assert_eq!(received_words_of_half(&half, 1.0), 0.0);
            for peers in [1, 2, 7, 64, 1000] {
                let (full, half) = (Bounds::of(&full, peers, 1 << 26), Bounds::of(&half, peers, 1 << 26));
                assert!(half.received_bytes <= full.received_bytes, "{n} {k} {peers}");
                assert!(half.moved_bytes < full.moved_bytes, "{n} {k} {peers}");
            }
        }
        // Unconstrained: V = n^2 k / 16 on 8 peers, and a + c is 3 (V / sqrt 2)^(2 / 3).
        let words = received_words_of_half(&Problem { symmetric: true, ..problem(8000, 8000, 8000) }, 8.0);
        let expected = 3.0 * (3.2e10 / 2f64.sqrt()).powf(2.0 / 3.0) - 12e6;
        assert!((words / expected - 1.0).abs() < 1e-3, "{words}");
    }

    #[test]
    fn enough_memory_leaves_one_pass() {
        let bounds = Bounds::of(&problem(1000, 1000, 1000), 2, 1 << 30);
        assert_eq!(bounds.moved_bytes, 24e6);
        let tight = Bounds::of(&problem(8000, 8000, 8000), 2, 1 << 23);
        assert!((tight.moved_bytes / (8.0 * (1.024e12 / 1024.0 - 2.0 * 1_048_576.0)) - 1.0).abs() < 1e-9);
    }
}
