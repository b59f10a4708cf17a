//! `explain`: the explanation of a problem's id.

use expect_test::expect;

use crate::support::flowbind;

#[test]
fn explain_prints_the_four_parts_of_an_id() {
    let outcome = flowbind(["explain", "stale-plan"]).run();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    expect![[r#"
        stale-plan: The tenant changed after the plan was made

        Meaning
          A saved plan, and a plan that waited for approval or for other tenants, is checked before the
          first PUT. A binding or the address of a pinned connector is not what the plan was made from. A
          saved plan is also stale if the hold of a change has ended since.

        What was changed
          Nothing was changed in this tenant.

        What to do
          Find out who changed the tenant. Then run `flowbind plan` again and review the changes.
    "#]]
    .assert_eq(&outcome.stdout);
}

#[test]
fn explain_wraps_to_the_width_of_the_terminal() {
    let outcome = flowbind(["explain", "no-credential"]).env("COLUMNS", "50").run();
    let longest = outcome.stdout.lines().map(|line| line.chars().count()).max().unwrap();
    assert!((40..=50).contains(&longest), "{outcome}");
    let paragraph = outcome.stdout.lines().skip(3).take_while(|line| !line.is_empty());
    assert!(paragraph.into_iter().all(|line| line.starts_with("  ")), "{outcome}");
}

#[test]
fn explain_is_bold_only_with_color() {
    let plain = flowbind(["explain", "stale-plan"]).run().stdout;
    let colored = flowbind(["explain", "stale-plan", "--color", "always"]).run().stdout;
    assert!(!plain.contains('\u{1b}') && colored.starts_with("\u{1b}[1mstale-plan: "), "{colored}");
    assert_eq!(anstream::adapter::strip_str(&colored).to_string(), plain);
}

#[test]
fn explain_without_an_id_lists_all_ids_by_area() {
    let outcome = flowbind(["explain"]).run();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    expect![[r#"
        Command line, environment, inputs and outputs
          usage                      The command line is not valid
          invalid-environment        An environment variable has an unusable value
          invalid-graph-url          The Graph URL cannot be used
          invalid-ca-file            The file of certificate authorities cannot be used
          trust-store-unusable       The certificate authorities cannot be used
          output-not-writable        An output cannot be written
          output-conflict            An output is also an input, or is given twice
          output-exists              An exported file exists and has other content
          step-limit                 An output of a GitHub step was left out because of its size
          input-unreadable           A file or folder cannot be read
          input-not-allowed          A file is outside the repository or not a regular file
          invalid-snapshot           A snapshot is not valid
          sandbox-mismatch           The sandboxes do not match the tenants of the run
          system                     The operating system reported an error

        Desired-state files
          empty-folder               A folder has no desired-state file
          file-given-twice           A file is given twice
          file-too-large             A file is larger than 16 MiB
          file-not-utf8              A file is not UTF-8
          invalid-yaml               A file is not valid YAML
          unsupported-yaml           A file uses a part of YAML that flowbind does not accept
          yaml-limit                 A file expands beyond the limits for YAML
          empty-file                 A desired-state file is empty
          unsupported-version        The version of a desired-state file is not supported
          unknown-key                A key is not known
          missing-key                A required key is missing
          missing-value              A key has no value
          invalid-type               A value has the wrong type
          invalid-value              A value is not one that the key accepts
          duplicate-key              A key, a step or a base is listed twice
          unknown-step               A step is not known
          invalid-flow-id            An id is not the id of a user flow
          flow-id-case               Two flow ids differ only in letter case
          mixed-flow-kinds           A file lists flows of both kinds
          unlisted-step              A bound step is not listed under `steps`
          unsupported-by-api         The API version lacks what the file or the command asks for
          unnamed-connector          A connector entry or a binding names no connector
          unknown-short-name         A binding names a connector that `connectors` does not list
          invalid-short-name         A short name is empty or a GUID
          invalid-base               A file under `extends` cannot be used
          extends-cycle              Files extend one another in a cycle
          extends-order              The order of bases is contradictory
          extends-depth              Too many files extend one another in a chain
          hold-too-long              A hold is longer than 90 days
          hold-expired               The hold of a binding is over, and the file still has it
          conflicting-bindings       Two files manage the same binding
          conflicting-settings       Files of one tenant differ in their settings

        Names that the tenant does not have
          flow-not-found             The tenant has no such user flow
          connector-not-found        The tenant has no such API connector
          connector-ambiguous        Several API connectors have the same name
          connector-mismatch         A connector's `id` and `displayName` do not belong together
          connectors-unreadable      The API connectors of the tenant could not be listed
          connector-unreadable       The tenant lists one API connector with different content
          flows-unreadable           The user flows of the tenant could not be listed
          tenant-alias               One tenant is named in two ways
          undocumented-step          A step is not part of Graph's documentation
          unsupported-step           The service rejects a step, so it was not read
          step-never-called          A binding at a step that its flow never calls
          certificate-expires        The certificate of a bound connector expires
          dangling-binding           A binding points to a deleted connector

        Signing in
          no-credential              No usable credential
          token-expired              The access token is expired
          sign-in-failed             A token could not be renewed during the run
          tenant-mismatch            The access token is for another tenant
          tenant-unverified          The tenant of the access token cannot be verified

        Requests to Microsoft Graph
          permission-missing         The credential lacks a permission
          token-rejected             Graph rejected the access token
          tenant-kind-mismatch       The flows do not belong to this kind of tenant
          self-service-disabled      Self-service sign-up is not enabled in the tenant
          graph-rejected             Graph rejected a request
          graph-unexpected-response  A response is not what Graph sends
          graph-redirect             Graph answered with a redirect
          graph-unreachable          Graph or the login service cannot be reached
          graph-no-response          Graph did not answer a request
          graph-throttled            Graph throttles the run beyond its time limit
          timeout                    The time limit of the run is over
          interrupted                The run was interrupted by a signal

        Guards: why a plan is blocked
          guard-max-changes          The plan has more changes than `maxChanges` allows
          guard-max-disables         The plan disables more bindings than `maxDisables` allows
          protected-binding          The plan disables or replaces a protected binding
          empty-prune                `prune: flows` in a file without flows would disable every binding
          pin-mismatch               A connector does not call its pinned address

        Applying, and saved plans and reports
          plan-blocked               Guards block the plan
          plan-incomplete            The plan is incomplete
          fingerprint-mismatch       The plan is not the approved one
          approval-required          Approval is required and stdin is not a terminal
          approval-denied            The changes were not approved
          stale-plan                 The tenant changed after the plan was made
          wrong-target               The saved plan is for another tenant, cloud or app
          label-mismatch             A saved file has another label than the run
          saved-file-invalid         A file is not a saved plan or report
          saved-file-version         A saved file has another format version
          saved-file-modified        A saved plan was modified after it was written
          saved-file-kind            A saved file is of the wrong kind
          undo-stale                 A change cannot be taken back, because the binding was changed again
          undo-deleted               A change cannot be taken back, because the connector was deleted
          undo-file-differs          The file may still have the value that is taken back
          only-unmatched             `--only` selects no binding
          edit-rejected              A file cannot take a value of the tenant
          earlier-drift-missing      The drift of an earlier run does not exist
          cannot-join                Saved files cannot be joined
          missing-shard              A shard of the run is missing
          shard-conflict             A saved plan covers only one shard
          change-failed              A change was rejected
          change-unverified          It is not known whether a change took effect
          change-not-attempted       A change was not sent
    "#]]
    .assert_eq(&outcome.stdout);
}

#[test]
fn explain_of_an_unknown_id_suggests_the_nearest() {
    let outcome = flowbind(["explain", "connector-not-fund"]).run();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""));
    expect![[r#"
        error[usage]: unknown id `connector-not-fund`
          = hint: did you mean `connector-not-found` or `connector-unreadable` or `connectors-unreadable`?
          = hint: run `flowbind explain` to list all ids
    "#]]
    .assert_eq(&outcome.stderr);
}
