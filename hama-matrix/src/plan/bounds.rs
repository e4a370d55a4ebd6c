//! What no plan can be better than: words between peers, and words between store and memory.

use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// Lower bounds of a classical multiplication, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Bytes that some peer has to receive, where inputs and result are spread evenly: Al Daas, Ballard,
    /// Grigori, Kumar and Rouse, "Tight memory-independent parallel matrix multiplication communication
    /// lower bounds", theorem 3 (arXiv 2205.13407).
    pub received_bytes: f64,
    /// Bytes that have to move between store and memory: each operand and the result once, and
    /// 2 m n k / sqrt(M) - 2 M words for a memory of M words (Smith, Lowery, Langou and van de Geijn,
    /// arXiv 1702.02017).
    pub moved_bytes: f64,
}

impl Bounds {
    pub(super) fn of(problem: &Problem, peers: u64, memory_bytes: u64) -> Bounds {
        let word = problem.element.size_bytes() as f64;
        let memory = memory_bytes as f64 / word;
        let flop = 2.0 * problem.m as f64 * problem.n as f64 * problem.k as f64;
        let once: f64 = problem.elements().iter().sum();
        Bounds {
            received_bytes: received_words(problem, peers as f64) * word,
            moved_bytes: once.max(flop / memory.sqrt() - 2.0 * memory) * word,
        }
    }
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
    fn enough_memory_leaves_one_pass() {
        let bounds = Bounds::of(&problem(1000, 1000, 1000), 2, 1 << 30);
        assert_eq!(bounds.moved_bytes, 24e6);
        let tight = Bounds::of(&problem(8000, 8000, 8000), 2, 1 << 23);
        assert!((tight.moved_bytes / (8.0 * (1.024e12 / 1024.0 - 2.0 * 1_048_576.0)) - 1.0).abs() < 1e-9);
    }
}
