//! Contract in the making.
