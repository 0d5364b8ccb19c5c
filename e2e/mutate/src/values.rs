//! What a function may answer at once instead of doing what it does: nothing, zero, yes, no.

use syn::{GenericArgument, PathArguments, ReturnType, Type};

/// The answers that fit a function's type, as code; none when nothing simple does.
pub fn values(output: &ReturnType) -> Vec<String> {
    match output {
        ReturnType::Default => vec!["()".to_owned()],
        ReturnType::Type(_, of) => of_type(of),
    }
}

fn of_type(of: &Type) -> Vec<String> {
    let all = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    match of {
        Type::Tuple(tuple) if tuple.elems.is_empty() => all(&["()"]),
        Type::Reference(to) if matches!(&*to.elem, Type::Path(path) if path.path.is_ident("str")) => all(&["\"\""]),
        Type::Path(path) => {
            let Some(last) = path.path.segments.last() else { return Vec::new() };
            match last.ident.to_string().as_str() {
                "bool" => all(&["true", "false"]),
                "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" => all(&["0"]),
                "f64" => all(&["0.0"]),
                "Span" => all(&["Span::ZERO"]),
                "String" => all(&["String::new()"]),
                "Vec" | "VecDeque" | "BTreeMap" | "BTreeSet" | "HashMap" | "HashSet" => all(&["Default::default()"]),
                "Option" => all(&["None"]),
                "Result" => match &last.arguments {
                    PathArguments::AngleBracketed(given) => {
                        let value = given.args.iter().find_map(|given| match given {
                            GenericArgument::Type(of) => Some(of_type(of)),
                            _ => None,
                        });
                        value.unwrap_or_default().iter().map(|value| format!("Ok({value})")).collect()
                    }
                    _ => all(&["Ok(())"]),
                },
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}
