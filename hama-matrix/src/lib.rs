//! Dense and blocked matrices.
