"""What of the attack table is shown by which tests: row → what must hold → `file::test`, here or elsewhere.

Rows that concern no door of the gateway are not here: callbacks, and the routes of applications.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


def _in(file: str, *names: str) -> tuple[str, ...]:
    return tuple(f"tests/{file}.py::test_{name}" for name in names)


def _here(file: str, *names: str) -> tuple[str, ...]:
    return _in(f"conformance/attacks/test_{file}", *names)


_PATHS: Final = {
    "one path is judged and forwarded": _here(
        "path_confusion",
        "every_spelling_is_judged_as_the_path_that_is_forwarded",
        "no_spelling_reaches_anything_without_credentials",
        "http_2_reads_no_target_in_another_way",
        "no_path_that_somebody_makes_up_gets_past_its_judge",
    ),
    "at every door": (
        *_here("path_confusion", "guard_lets_nothing_through_that_the_gateway_refuses"),
        *_in(
            "integrations/test_asgi",
            "a_target_that_can_be_read_in_two_ways_is_refused",
            "an_absolute_form_is_refused_where_the_server_shows_it",
            "a_path_that_somebody_changed_on_the_way_is_refused",
        ),
    ),
    "Envoy and the router read alike": _in(
        "judge/test_paths_envoy",
        "envoy_and_the_router_read_every_target_alike",
        "envoy_and_the_router_read_made_up_targets_alike",
    ),
    "host case, port, trailing dot": _here(
        "path_confusion",
        "a_host_is_the_same_in_every_spelling",
        "guard_reads_a_host_as_the_gateway_does_and_hands_on_what_it_read",
        "an_authority_of_http_2_is_read_alike",
        "of_an_absolute_form_the_host_counts_and_not_the_header",
    ),
    "a name twice in the path": (
        *_in("decision/test_audience", "an_mcp_path_is_anchored_and_names_one_segment"),
        *_in("e2e/test_decision_table", "each_row_comes_to_its_verdict_at_the_listener"),
        *_in("gateway/test_paths", "strip_prefix_takes_the_routes_path_away_once"),
    ),
    "the number of routes": _here("path_confusion", "how_many_routes_there_are_changes_no_decision"),
    "methods": _here(
        "path_confusion",
        "another_method_opens_nothing",
        "a_handshake_of_another_method_opens_nothing",
        "a_path_of_another_method_is_not_a_broader_route_s",
    ),
    "the parser of paths": _in(
        "judge/test_paths",
        "a_path_never_has_dot_segments_or_backslashes",
        "a_canonical_path_is_its_own_form",
    ),
}
_FORWARDED: Final = {
    "ignored from everybody": _here(
        "forwarded_headers",
        "it_reaches_no_upstream_and_changes_no_answer",
        "http_2_is_no_way_in",
        "all_of_them_together_skip_nothing",
    ),
    "from a listed peer one is believed": _in(
        "gateway/test_trusted_proxies",
        "the_client_is_the_last_address_that_is_not_listed",
        "what_is_no_bare_address_ends_the_search_at_the_peer",
        "a_client_cannot_pass_for_its_proxy_by_a_long_list",
    ),
    "an empty list trusts nobody": _in("gateway/test_headers", "the_upstream_hears_who_asked_from_us_alone"),
    "challenges from configuration": _here(
        "forwarded_headers",
        "a_challenge_names_the_configured_host",
        "a_metadata_document_names_the_configured_origin",
    ),
}
_IDENTITY: Final = {
    "cleared in every alias": (
        *_here(
            "identity_headers",
            "no_alias_reaches_the_upstream",
            "no_alias_gets_past_guard",
            "no_alias_gets_in_over_http_2",
            "an_underscore_ends_the_request",
        ),
        *_in("decision/test_headers", "nor_is_any_of_its_aliases"),
        *_in("gateway/test_headers", "envoys_expressions_remove_what_the_table_of_headers_calls_managed"),
        *_in("integrations/test_asgi", "no_header_that_only_a_gateway_may_set_reaches_the_application"),
    ),
    "from trailers": (
        *_here("identity_headers", "nothing_comes_in_by_trailers", "a_token_in_a_trailer_is_never_read"),
        *_in("gateway/test_http2", "managed_headers_and_trailers_do_not_reach_an_h2c_upstream"),
        *_in("integrations/test_asgi", "trailers_that_come_later_are_no_headers"),
    ),
    "where the claim is missing": _here(
        "identity_headers", "what_the_token_does_not_say_is_empty_and_not_the_client_s"
    ),
    "named in Connection": _here(
        "identity_headers",
        "a_header_named_in_connection_still_arrives_as_ours",
        "what_says_where_a_request_is_from_cannot_be_named_in_connection",
        "a_token_named_in_connection_is_no_token",
    ),
}
_CACHE: Final = {
    "two authorities": (
        *_here("cache_confusion", "one_token_at_two_authorities_is_two_verdicts"),
        *_in("authorities/test_authorities", "one_token_at_two_authorities_is_two_answers"),
        *_in("authorities/test_cache", "no_token_passes_for_the_end_of_an_authority"),
    ),
    "two routes": _here("cache_confusion", "each_route_judges_what_is_remembered_by_its_own_policy"),
    "exp in the past on a hit": (
        *_here("cache_confusion", "a_token_dies_while_it_is_remembered"),
        *_in("plugins/test_oauth2_verify", "a_remembered_answer_dies_with_its_token"),
    ),
    "exp that is none": (
        *_here("cache_confusion", "an_expired_token_is_not_remembered"),
        *_here("token_confusion", "an_answer_is_a_yes_or_none"),
        *_in("oauth/test_introspection", "times_are_finite_numbers", "any_finite_number_is_a_time"),
    ),
    "a flood": (
        *_here("cache_confusion", "a_flood_of_random_tokens_pushes_no_good_one_out"),
        *_in(
            "authorities/test_cache",
            "a_flood_of_inactive_tokens_does_not_push_out_a_good_one",
            "the_weight_is_honest",
            "an_answer_heavier_than_the_bound_pushes_nothing_out",
        ),
    ),
    "keys": (
        *_here("cache_confusion", "tokens_that_begin_or_end_alike_are_others"),
        *_in("authorities/test_cache", "a_key_is_an_hmac_over_the_authority_and_the_token"),
    ),
}
_TOKENS: Final = {
    "claims": (
        *_here("token_confusion", "an_answer_is_a_yes_or_none"),
        *_in("authorities/test_authority", "an_answer_that_is_no_yes_is_a_no_for_five_seconds"),
        *_in(
            "oauth/test_introspection",
            "active_is_the_boolean_true_and_nothing_like_it",
            "no_answer_makes_the_reader_fail_and_a_grant_is_typed",
            "no_bytes_are_ever_a_grant_by_accident",
        ),
    ),
    "audiences": (
        *_here("token_confusion", "an_answer_is_a_yes_or_none"),
        *_in(
            "decision/test_audience",
            "of_gateway_entries_exactly_the_routes_own_and_the_wildcard_match",
            "of_mcp_entries_exactly_the_one_in_the_path_matches",
            "entries_that_do_not_match_alone_never_match_together",
            "no_entry_and_no_path_make_the_judge_fail",
        ),
    ),
    "10,000 entries": (
        *_here("token_confusion", "ten_thousand_entries_are_judged_in_bounded_time"),
        *_in("decision/test_audience", "ten_thousand_entries_are_judged_and_one_more_is_not"),
    ),
    "JSON": _in(
        "oauth/test_json",
        "no_bytes_make_the_reader_fail_in_another_way",
        "what_can_be_read_in_two_ways_is_no_json",
    ),
}
_LOGS: Final = {
    "canaries": (
        *_in(
            "e2e/test_canaries",
            "no_credential_is_found_anywhere",
            "no_credential_is_on_a_command_line",
            "no_credential_of_a_client_reaches_the_upstream",
        ),
        *_here("credentials_in_logs", "no_token_of_an_attack_is_found_in_a_file_or_a_figure"),
        *_in("diagnostics/test_logs", "no_level_shows_a_credential"),
    ),
    "reprs": (
        *_in("oauth/test_credentials", "a_raw_token_shows_in_no_repr_of_anything_that_holds_it"),
        *_in("config/test_secrets", "a_secret_shows_nothing_of_itself"),
        *_in("authorities/test_authorities", "neither_token_nor_secret_shows_anywhere"),
        *_in("authorities/test_cache", "nothing_shows_a_token"),
    ),
    "core exceptions": (
        *_in("judge/test_judge", "whatever_fails_in_the_judge_is_503_recorded_and_said_without_its_words"),
        *_in("diagnostics/test_redaction", "the_filter_redacts_message_arguments_and_traceback"),
    ),
    "metric labels": _in(
        "diagnostics/test_metrics", "label_values_are_bounded", "a_label_cannot_write_a_line_of_its_own"
    ),
    "CR, LF, quotes, escapes": (
        *_here(
            "credentials_in_logs",
            "what_a_client_writes_stays_in_its_place",
            "a_record_of_what_is_no_request_is_printable",
            "an_authority_writes_no_line_of_its_own",
            "every_line_of_the_workers_is_one_object",
        ),
        *_in("diagnostics/test_record_json", "nothing_unprintable_is_in_a_record"),
        *_in("diagnostics/test_sink", "a_line_that_a_client_wrote_into_its_path_stays_one_line"),
        *_in("oauth/test_challenge", "every_challenge_reads_back_as_it_was_meant"),
    ),
}
_AUTHORIZATION: Final = {
    "one reading": (
        *_here(
            "parsing_of_authorization",
            "the_header_has_one_reading_at_every_door",
            "100_kb_are_refused_before_anybody_is_asked",
            "100_kb_do_not_reach_a_guarded_application",
        ),
        *_here("smuggling", "two_tokens_of_http_2_are_never_one_of_them"),
        *_in("e2e/test_decision_table", "each_row_comes_to_its_verdict_at_the_listener"),
    ),
    "query and body": _here(
        "parsing_of_authorization",
        "a_token_in_the_query_is_never_read",
        "a_token_in_the_body_is_never_read",
        "a_copy_in_query_and_body_changes_nothing_of_the_header",
    ),
    "the parser": _in(
        "oauth/test_credentials",
        "several_fields_mean_what_one_joined_field_means",
        "every_b64token_arrives_unchanged",
        "no_header_makes_the_parser_fail_and_kind_and_values_agree",
    ),
}
_FAILING_OPEN: Final = {
    "an authority of no use": (
        *_here("failing_open", "an_authority_that_is_of_no_use_is_503"),
        *_in(
            "authorities/test_authority",
            "an_answer_that_is_none_is_could_not_tell_and_recovers_by_itself",
            "an_authority_that_is_away_is_could_not_tell_and_recovers_by_itself",
            "an_authority_that_hangs_is_could_not_tell_after_its_timeout",
        ),
        *_in(
            "authorities/test_wire",
            "a_name_that_cannot_be_looked_up_is_refused",
            "a_slow_drip_is_given_up_as_well",
            "a_huge_answer_is_read_no_further_than_one_mebibyte",
            "a_certificate_is_verified",
            "a_server_that_does_not_speak_tls_is_a_tls_error",
        ),
        *_in("integrations/test_asgi", "an_authority_that_is_away_is_503"),
    ),
    "it recovers by itself": _here("failing_open", "it_is_over_by_itself"),
    "nothing stale": (
        *_here("failing_open", "a_yes_is_not_remembered_beyond_its_time_because_nobody_answers"),
        *_in("authorities/test_cache", "an_answer_never_outlives_its_token"),
    ),
    "workers and Envoy die": (
        *_here("deaths_under_load", "nobody_gets_in_while_something_is_dead"),
        *_in(
            "e2e/test_deaths",
            "until_a_killed_worker_is_replaced_everything_is_refused",
            "what_a_worker_was_judging_when_it_was_killed_is_refused",
            "a_killed_supervisor_leaves_nothing_running_and_the_next_one_begins_and_ends_cleanly",
        ),
        *_in("gateway/test_decision", "without_a_final_verdict_the_gate_is_shut_and_raises_the_alarm"),
    ),
    "disk full": _in("diagnostics/test_writer", "a_full_disk_is_said_once_and_ends_nothing"),
    "a secret that is not there": _in(
        "config/test_secrets",
        "a_variable_that_is_missing_or_blank_is_an_error",
        "a_named_file_that_cannot_be_used_is_an_error_even_if_the_variable_is_set",
    ),
}
_REQUESTS: Final = {
    "only from configuration": (
        *_here(
            "server_side_requests",
            "a_token_names_nobody_who_is_asked",
            "a_request_names_nobody_who_is_asked",
            "metadata_is_asked_about_nobody_else",
        ),
        *_in("authorities/test_wire", "a_proxy_of_the_environment_is_not_asked"),
    ),
    "redirects": _here("server_side_requests", "an_answer_names_nobody_who_is_asked"),
    "discovered endpoints": _in(
        "authorities/test_issuer",
        "metadata_cannot_send_our_credentials_elsewhere",
        "another_origin_may_be_listed",
    ),
}
_TIMING: Final = {
    "constant time": (
        *_here("timing_and_secrets", "no_revealed_secret_is_compared_by_an_operator"),
        *_in("diagnostics/test_surface", "every_active_token_reads_the_metrics"),
    ),
    "empty, blank, short secrets": _in(
        "config/test_secrets",
        "a_variable_that_is_missing_or_blank_is_an_error",
        "a_secret_that_we_sign_with_has_32_bytes",
    ),
    "before the body": (
        *_here("timing_and_secrets", "a_stranger_is_answered_before_a_byte_of_the_body"),
        *_in("integrations/test_asgi", "a_token_in_a_trailer_that_comes_later_is_never_read"),
    ),
    "unknown and foreign": _here("timing_and_secrets", "what_is_there_and_refused_is_not_told_from_what_is_not_there"),
}
_SMUGGLING: Final = {
    "where a request ends": _here(
        "smuggling",
        "what_can_be_read_in_two_ways_is_refused_once",
        "a_request_inside_a_body_is_a_body",
        "of_broken_chunks_nothing_becomes_a_second_request",
        "each_request_on_a_connection_is_judged_for_itself",
    ),
    "HTTP/2": _here(
        "smuggling", "what_is_no_request_of_http_2_reaches_nobody", "a_host_beside_an_authority_is_not_read"
    ),
    "upgrades": (
        *_here("smuggling", "an_upgrade_without_credentials_reaches_nobody"),
        *_in("gateway/test_decision", "a_websocket_is_judged_at_its_handshake"),
        *_in("integrations/test_asgi", "a_websocket_is_judged_at_its_handshake"),
    ),
    "JSON of an authority": _in(
        "authorities/test_authority", "an_answer_that_is_none_is_could_not_tell_and_recovers_by_itself"
    ),
    "any bytes": _here("smuggling", "whatever_comes_as_a_head_nothing_unjudged_goes_on"),
}
_OPERATORS: Final = {
    "through the public listener": (
        *_here("operator_surface", "nothing_of_the_inside_is_reached_from_outside"),
        *_in("e2e/test_operator_surface", "nothing_of_it_is_reached_through_the_public_listener"),
        *_in("authz/test_worker", "the_two_sockets_answer_to_nothing_of_each_other"),
        *_in("gateway/test_start", "only_the_owner_can_look_into_the_folder_and_its_sockets"),
    ),
    "other origins": _in(
        "diagnostics/test_surface",
        "a_page_of_another_origin_is_misdirected",
        "other_paths_and_methods_are_refused_and_every_answer_is_guarded",
    ),
}
# What no test can show yet, and until when.
OPEN: Final[Mapping[str, str]] = {
    "timing and secrets": "app secrets, objects of others: the legacy path, Drive and Jobs are not built",
    "smuggling and protocol edges": "batch arrays, content types, duplicate keys of MCP bodies: not judged yet",
    "operator surface": "CSRF and framing of the console: there is none",
}
ROWS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "path confusion": _PATHS,
    "forwarded headers": _FORWARDED,
    "identity headers": _IDENTITY,
    "cache confusion": _CACHE,
    "token confusion": _TOKENS,
    "credentials in logs": _LOGS,
    "parsing of Authorization": _AUTHORIZATION,
    "failing open": _FAILING_OPEN,
    "server-side requests": _REQUESTS,
    "timing and secrets": _TIMING,
    "smuggling and protocol edges": _SMUGGLING,
    "operator surface": _OPERATORS,
}
