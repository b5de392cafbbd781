//! The countries that can be searched for.

/// Every code that the Research API takes in `region_code` (the list in TikTok's own client and documents).
const REGIONS: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO \
     BQ BR BS BT BV BW BY BZ CA CD CF CG CH CI CK CL CM CN CO CR CU CV CW CY CZ DE DJ DK DM \
     DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR \
     GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN \
     KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ \
     MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL \
     PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SK SL SM SN SO SR SS ST \
     SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TP TR TT TV TW TZ UA UG UM US UY UZ VA VC \
     VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// Whether `code`, in upper case, is one that the Research API takes.
pub(super) fn is_region(code: &str) -> bool {
    code.len() == 2 && REGIONS.split(' ').any(|it| it == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_two_letters_that_tiktok_lists() {
        assert!(["DE", "GB", "US", "XK", "AD", "ZW"].into_iter().all(is_region));
        assert!(!["UK", "EU", "XX", "de", "D", " ", "", "D E", "AD AE"].into_iter().any(is_region));
        let mut codes: Vec<_> = REGIONS.split(' ').collect();
        codes.dedup();
        assert!(codes.len() == 245 && codes.is_sorted() && codes.iter().all(|it| it.len() == 2));
    }
}
