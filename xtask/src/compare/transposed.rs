//! Products of transposed operands beside the plain one.

use super::lab::Lab;
use super::rounds::alternate;
use super::row::{Aim, Found};

const PLAIN: &str = "A B";

pub(super) fn run(lab: &mut Lab, found: &mut Found) -> Result<(), String> {
    for (n, count) in lab.size(vec![(4000, 9), (8000, 5)], vec![(1000, 1)]) {
        lab.clear()?;
        lab.need_disk(5 * n * n * 8)?;
        lab.random("a", n, n, "f64")?;
        lab.random("b", n, n, "f64")?;
        let forms = [
            ("At B", "a b --transpose-a", 1.05),
            ("A Bt", "a b --transpose-b", 1.05),
            ("At Bt", "a b --transpose-a --transpose-b", 1.05),
            ("A At", "a a --transpose-b", 0.6),
        ];
        let mut candidates = vec![lab.product(PLAIN, "a b", "c")];
        candidates.extend(forms.map(|(name, operands, _)| lab.product(name, operands, "c")));
        let rounds = alternate(lab, &format!("transposed, N = {n}, f64"), candidates, count);
        for (name, operands, limit) in forms {
            let what = format!("`hama matrix multiply {operands}`: time, `multiply a b` = 1");
            let case = format!("N = {n}, f64");
            found.figure((&what, &case), rounds.times(name, PLAIN), "", Some(Aim::AtMost(limit)));
        }
    }
    Ok(())
}
