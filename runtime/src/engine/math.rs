//! Mathematics that engines compute differently, from one library for both.

/// Functions of one number, in the order in which `js/determinism.js` lists them.
pub(super) fn unary(function: u32, x: f64) -> f64 {
    match function {
        0 => libm::acos(x),
        1 => libm::acosh(x),
        2 => libm::asin(x),
        3 => libm::asinh(x),
        4 => libm::atan(x),
        5 => libm::atanh(x),
        6 => libm::cbrt(x),
        7 => libm::cos(x),
        8 => libm::cosh(x),
        9 => libm::exp(x),
        10 => libm::expm1(x),
        11 => libm::log(x),
        12 => libm::log10(x),
        13 => libm::log1p(x),
        14 => libm::log2(x),
        15 => libm::sin(x),
        16 => libm::sinh(x),
        17 => libm::tan(x),
        18 => libm::tanh(x),
        _ => f64::NAN,
    }
}

/// Functions of two numbers: 0 power, 1 arc tangent of a quotient, 2 hypotenuse.
pub(super) fn binary(function: u32, x: f64, y: f64) -> f64 {
    match function {
        0 => power(x, y),
        1 => libm::atan2(x, y),
        2 => libm::hypot(x, y),
        _ => f64::NAN,
    }
}

/// As JavaScript has it: unlike in C, 1 to an infinite or undefined power is not a number.
fn power(x: f64, y: f64) -> f64 {
    if y.is_nan() || x.abs() == 1.0 && y.is_infinite() {
        f64::NAN
    } else {
        libm::pow(x, y)
    }
}
