//! Adds up partial sums over p_k, in the order of the inner dimension whoever adds.

use crate::scalar::Scalar;

const CHUNK: usize = 1024;

/// Replaces `own`, part `place` of a sum, by the whole: ((part 0 + part 1) + part 2) + ..., where `others` are
/// the other parts in ascending order.
pub(super) fn add_ascending<T: Scalar>(own: &mut [T], place: usize, others: &[&[T]]) {
    let mut sum = [T::ZERO; CHUNK];
    for (index, chunk) in own.chunks_mut(CHUNK).enumerate() {
        let range = index * CHUNK..index * CHUNK + chunk.len();
        let sum = &mut sum[..chunk.len()];
        for part in 0..=others.len() {
            let numbers = match part.cmp(&place) {
                std::cmp::Ordering::Less => &others[part][range.clone()],
                std::cmp::Ordering::Equal => &*chunk,
                std::cmp::Ordering::Greater => &others[part - 1][range.clone()],
            };
            if part == 0 {
                sum.copy_from_slice(numbers);
            } else {
                sum.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += *number);
            }
        }
        chunk.copy_from_slice(sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2^-53 + 2^-53 + 1 is more than 1, and 1 + 2^-53 + 2^-53 is not, so the order shows.
    #[test]
    fn the_order_is_that_of_the_parts_wherever_the_own_one_is() {
        let tiny = f64::EPSILON / 2.0;
        let parts: Vec<Vec<f64>> = [tiny, tiny, 1.0, 0.0].iter().map(|&x| vec![x; 2500]).collect();
        let expected = 1.0 + f64::EPSILON;
        for place in 0..4 {
            let mut own = parts[place].clone();
            let others: Vec<&[f64]> =
                (0..4).filter(|&part| part != place).map(|part| parts[part].as_slice()).collect();
            add_ascending(&mut own, place, &others);
            assert!(own.iter().all(|&x| x == expected));
        }
        let mut one_first = [1.0];
        add_ascending(&mut one_first, 0, &[&[tiny], &[tiny], &[0.0]]);
        assert_eq!(one_first, [1.0]);
    }
}
