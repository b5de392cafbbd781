use std::collections::BTreeSet;

use super::{forms, *};

#[test]
fn each_form_has_its_own_page_and_is_found_by_where_it_is_sent() {
    let pages: BTreeSet<&str> = forms::ALL.iter().map(|it| it.page).collect();
    assert_eq!(pages.len(), forms::ALL.len());
    for form in forms::ALL {
        let path = form.action.replace("{request_id}", "req_1");
        let found = Form::sent_to(&path).expect("a form");
        assert_eq!(found.page, form.page);
        let allowed = paths::allow(&path).expect("a path");
        assert!(allowed.contains("POST"), "{path}");
        assert!(paths::allow(form.page).is_some_and(|it| it.contains("GET")), "{}", form.page);
    }
    assert!(Form::sent_to("/v1/keys").is_none());
}

#[test]
fn every_field_has_a_label_of_its_own_and_every_note_is_there() {
    for form in forms::ALL {
        let error = Error::Conflict("so it is");
        let html = form
            .markup(
                "/x",
                &Typed::default(),
                Some(&Fault::of(form, &error, "help@example.com", "r")),
            )
            .into_string();
        let ids: Vec<&str> =
            html.split(" id=\"").skip(1).filter_map(|it| it.split('"').next()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
        for part in html.split("<label for=\"").skip(1).filter_map(|it| it.split('"').next()) {
            assert!(ids.contains(&part), "{part}");
        }
        for part in html.split("aria-describedby=\"").skip(1).filter_map(|it| it.split('"').next())
        {
            assert!(part.split(' ').all(|it| ids.contains(&it)), "{part}");
        }
        let inputs = html.matches("<input").count();
        let labels = html.matches("<label").count();
        assert_eq!(inputs, labels, "{}", form.page);
        assert!(html.contains("So it is."));
    }
}

#[test]
fn a_form_is_read_as_the_json_of_its_endpoint() {
    let form = Form::sent_to("/v1/accounts").expect("a form");
    let typed =
        Typed::parse(b"email=+a%40b.example+&company=&is_13_or_older=true&policy_version=1.0&x=1");
    let expected = serde_json::json!({
        "email": "a@b.example", "policy_version": "1.0", "is_13_or_older": true, "marketing_consent": false,
    });
    assert_eq!(form.json(&typed), expected);
    let form = Form::sent_to("/v1/objections").expect("a form");
    let expected = serde_json::json!({ "username": "", "email": "", "kind": "object" });
    assert_eq!(form.json(&Typed::parse(b"")), expected);
    // A key is no part of what is sent.
    let form = Form::sent_to("/exports/req_1").expect("a form");
    assert_eq!(form.json(&Typed::parse(b"api_key=tvi_live_x")), serde_json::json!({}));
}
