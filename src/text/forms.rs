//! Words that are forms of one another and do not look it: irregular verbs and plurals, and what
//! programmers shorten.

/// Families of terms, as the analyser makes them (stems), separated by commas. Worth 3 points of
/// recall at 10 on questions about code, and 1 of the order on conversations (docs/recall.md).
const FAMILIES: &str = "\
becom becam, begin began begun, bite bit bitten, blow blew blown, break broke broken, \
bring brought, build built, buy bought, catch caught, choos chose chosen, come came, \
dig dug, draw drew drawn, drink drank drunk, drive drove driven, eat ate eaten, \
fall fell fallen, feed fed, feel felt, fight fought, find found, fli flew flown, \
forget forgot forgotten, forgiv forgav forgiven, freez froze frozen, get got gotten, \
give gave given, go goe went gone, grow grew grown, hang hung, hear heard, hide hid hidden, \
hold held, keep kept, know knew known, lay laid, lead led, learn learnt, leav left, \
lend lent, lose lost, make made, mean meant, meet met, pay paid, ride rode ridden, \
ring rang rung, rise rose risen, run ran, say said, see saw seen, seek sought, \
sell sold, send sent, shake shook shaken, shine shone, shoot shot, show shown, \
sing sang sung, sink sank sunk, sit sat, sleep slept, speak spoke spoken, spend spent, \
stand stood, steal stole stolen, stick stuck, strike struck, swear swore, sweep swept, \
swim swam swum, take took taken, teach taught, tear tore torn, tell told, think thought, \
throw threw thrown, understand understood, wake woke woken, wear wore worn, win won, \
write wrote written, child children, man men, woman women, person peopl, foot feet, \
tooth teeth, mous mice, wife wive, life live, knife knive, string str, integ int, \
dictionari dict, directori dir, function func fn, paramet param, argument arg, \
number num, messag msg, databas db, configur config cfg, environ env, repositori repo, \
charact char, boolean bool, index idx, temporari temp tmp, length len, maximum max, \
minimum min, attribut attr, object obj, array arr, packag pkg, version ver, \
authent auth, administr admin, applic app, document doc, imag img, previous prev, \
sourc src, destin dest dst, separ sep, express expr, averag avg, count cnt, valu val, \
variabl var, request req, respons resp, context ctx, error err, button btn, command cmd, \
execut exec, initi init, refer ref, specif spec, statist stat, synchron sync, \
asynchron async, kubernet k8s, javascript js, typescript ts, python py, \
postgresql postgr pg, delet del, column col, coordin coord, multipl multi, oper op, \
pointer ptr, process proc, buffer buf, calcul calc comput, address addr, inform info, \
vector vec, matrix mat";

/// The terms that are other forms of one: those of `went` are `go`, `goe` (of "goes") and `gone`.
pub fn other_forms(term: &str) -> impl Iterator<Item = &'static str> {
    let mut families = FAMILIES.split(", ").map(str::split_whitespace);
    let family = families.find(|family| family.clone().any(|form| form == term));
    family
        .into_iter()
        .flatten()
        .filter(move |form| *form != term)
}

#[cfg(test)]
mod tests {
    use super::super::Analyser;
    use super::*;

    #[test]
    fn forms_are_found_from_each_other() {
        assert_eq!(
            other_forms("went").collect::<Vec<_>>(),
            ["go", "goe", "gone"]
        );
        assert_eq!(other_forms("win").collect::<Vec<_>>(), ["won"]);
        assert_eq!(other_forms("db").collect::<Vec<_>>(), ["databas"]);
        assert_eq!(other_forms("harbour").count(), 0);
    }

    #[test]
    fn each_is_a_term_and_in_one_family() {
        let mut all = Vec::new();
        for family in FAMILIES.split(", ") {
            assert!(family.contains(' '), "{family} has one form only");
            all.extend(family.split_whitespace());
        }
        for term in &all {
            // A stem that another ending would follow: "choos" is that of "choose".
            let words = ["", "e"].map(|end| format!("{term}{end}"));
            let mut terms = Vec::new();
            for word in &words {
                Analyser::default().terms(word, |term| terms.push(term.to_owned()));
            }
            assert!(terms.iter().any(|found| found == term), "{term}: {terms:?}");
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "a term is in two families");
    }
}
