"""Every address of the product, in one place."""

from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, URLResolver, include, path

from approvals import change_views as changes
from approvals import key_views as keys
from approvals import people_urls, policy_urls, signin_urls
from approvals import record_views as record
from approvals import token_views as tokens
from fleet import alert_views as alerts
from fleet import balancer_views as balancers
from fleet import credential_views as credentials
from fleet import enrol_views as enrol
from fleet import install_views as install
from fleet import probe_views as probes
from fleet import prometheus_views as prometheus
from fleet import reading_views as readings
from fleet import views as fleet
from fleet.alarms import desk_views as alarm_desks
from fleet.alarms import device_views as devices
from fleet.alarms import own_views as own_rules
from fleet.alarms import views as alarms
from fleet.tickets import api as ticket_api
from fleet.tickets import views as tickets
from releases import config_views as configs
from releases import intake
from releases import release_views as release
from releases import signer_views as signers
from releases import views as releases
from releases.matrix import views as tests
from upgrader import decision_urls
from upgrader.api_v1.api import URLS as API_V1
from upgrader.views import (
    believing,
    bounds,
    complaints,
    health,
    installed,
    measured,
    moves,
    overview,
    rollouts,
    strategies,
    webhooks,
)

handler400 = "upgrader.views.errors.bad_request"
handler500 = "upgrader.views.errors.broken"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", overview.overview, name="overview"),
    path("inbox/", overview.inbox_count, name="inbox"),
    path("", include("upgrader.finding_urls")),
    *signin_urls.urlpatterns,
    path("rollouts/", rollouts.rollout_list, name="rollouts"),
    path("rollouts/new/", rollouts.rollout_new, name="rollout-new"),
    path("rollouts/<int:rollout_id>/", rollouts.rollout_page, name="rollout"),
    path("rollouts/<int:rollout_id>/chart/", rollouts.rollout_chart, name="rollout-chart"),
    path("rollouts/<int:rollout_id>/numbers/", rollouts.rollout_numbers, name="rollout-numbers"),
    path("rollouts/<int:rollout_id>/readings/", measured.rollout_readings, name="rollout-readings"),
    path("rollouts/<int:rollout_id>/measured/", measured.rollout_measured, name="rollout-measured"),
    path("rollouts/<int:rollout_id>/left/", rollouts.rollout_left, name="rollout-left"),
    path("rollouts/<int:rollout_id>/complaint/", complaints.rollout_complaint, name="rollout-complaint"),
    path("rollouts/<int:rollout_id>/<str:path>/", moves.rollout_move, name="rollout-move"),
    path("strategies/", strategies.strategy_list, name="strategies"),
    path("strategies/add/", strategies.strategy_add, name="strategy-add"),
    path("strategies/check/", strategies.strategy_check, name="strategy-check"),
    path("strategies/<int:strategy_id>/", strategies.strategy_page, name="strategy"),
    path("strategies/<int:strategy_id>/retire/", strategies.strategy_retire, name="strategy-retire"),
    *decision_urls.urlpatterns,
    path("bounds/", bounds.bounds_page, name="bounds"),
    path("bounds/<int:place>/freeze/", bounds.freeze_begin, name="freeze-begin"),
    path("bounds/<int:place>/window/", bounds.window_set, name="window-set"),
    path("bounds/<int:place>/budget/", bounds.budget_set, name="budget-set"),
    path("bounds/freezes/<int:freeze>/lift/", bounds.freeze_lift, name="freeze-lift"),
    path("bounds/windows/<int:window>/end/", bounds.window_end, name="window-end"),
    path("releases/", releases.release_list, name="releases"),
    path("releases/add/", intake.release_add, name="release-add"),
    path("releases/matrix/", tests.matrix, name="matrix"),
    path("releases/matrix/cells/<int:cell_id>/", tests.matrix_cell, name="matrix-cell"),
    path("releases/matrix/cells/<int:cell_id>/chart/", tests.matrix_chart, name="matrix-chart"),
    path("releases/<int:release_id>/", release.release_page, name="release"),
    path("releases/<int:release_id>/pass/", release.release_pass, name="release-pass"),
    path("releases/<int:release_id>/withdraw/", release.release_yank, name="release-yank"),
    path("releases/<int:release_id>/downgrade/", release.downgrade_draw, name="downgrade-draw"),
    path("releases/<int:release_id>/downgrade/statement.json", release.downgrade_text, name="downgrade-text"),
    path("releases/<int:release_id>/downgrade/sign/", release.downgrade_sign, name="downgrade-sign"),
    path("releases/<int:release_id>/compare/", release.release_choose, name="release-choose"),
    path("releases/<int:release_id>/compare/<int:other_id>/", release.release_compare, name="release-compare"),
    path("signers/", signers.signer_list, name="signers"),
    path("signers/add/", signers.signer_add, name="signer-add"),
    path("signers/<int:signer_id>/strike/", signers.signer_strike, name="signer-strike"),
    path("signers/<int:signer_id>/crl/", signers.signer_crl, name="signer-crl"),
    path("signers/trust/draw/", signers.trust_draw, name="trust-draw"),
    path("signers/trust/<int:serial>/", signers.trust_text, name="trust-text"),
    path("signers/trust/<int:serial>/sign/", signers.trust_sign, name="trust-sign"),
    path("signers/trust/<int:serial>/send/", signers.trust_send, name="trust-send"),
    path("signers/channels/<str:channel>/", signers.channel_policy, name="channel-policy"),
    path("configs/", configs.config_list, name="configs"),
    path("configs/add/", configs.config_add, name="config-add"),
    path("configs/<int:config_id>/", configs.config_page, name="config"),
    path("configs/<int:config_id>/statement/", configs.config_statement, name="config-statement"),
    path("configs/<int:config_id>/sign/", configs.config_sign, name="config-sign"),
    path("pools/<int:pool_id>/", measured.pool_page, name="pool"),
    path("pools/<int:pool_id>/readings/", measured.pool_readings, name="pool-readings"),
    path("pools/<int:pool_id>/measured/", measured.pool_measured, name="pool-measured"),
    path("gateways/", fleet.gateway_list, name="gateways"),
    path("gateways/add/", enrol.gateway_add, name="gateway-add"),
    path("gateways/import/", enrol.gateway_import, name="gateway-import"),
    path("gateways/<int:gateway_id>/", fleet.gateway_page, name="gateway"),
    path("gateways/<int:gateway_id>/readings/", readings.gateway_readings, name="gateway-readings"),
    path("gateways/<int:gateway_id>/numbers/", readings.gateway_numbers, name="gateway-numbers"),
    path("gateways/<int:gateway_id>/charts/", readings.gateway_chart, name="gateway-chart"),
    path("gateways/<int:gateway_id>/probes/", probes.gateway_probes, name="gateway-probes"),
    path("gateways/<int:gateway_id>/probes/charts/", probes.gateway_probe_chart, name="probe-chart"),
    path("gateways/<int:gateway_id>/probes/numbers/", probes.gateway_probe_numbers, name="probe-numbers"),
    path("gateways/<int:gateway_id>/leave/", enrol.gateway_leave, name="gateway-leave"),
    path("gateways/<int:gateway_id>/host-key/", enrol.gateway_host_key, name="gateway-host-key"),
    path("gateways/<int:gateway_id>/believe/", believing.gateway_believe, name="gateway-believe"),
    path("gateways/<int:gateway_id>/install/", install.gateway_install, name="gateway-install"),
    path("gateways/<int:gateway_id>/install/run/", install.gateway_install_run, name="gateway-install-run"),
    path("gateways/<int:gateway_id>/uninstall/run/", install.gateway_uninstall_run, name="gateway-uninstall-run"),
    path("gateways/<int:gateway_id>/complaint/", tickets.ticket_form, name="ticket-form"),
    path("gateways/<int:gateway_id>/complaint/report/", tickets.ticket_report, name="ticket-report"),
    path("tickets/", tickets.ticket_list, name="tickets"),
    path("tickets/sources/", tickets.source_list, name="ticket-sources"),
    path("tickets/sources/add/", tickets.source_add, name="ticket-source-add"),
    path("tickets/sources/<int:source_id>/renew/", tickets.source_renew, name="ticket-source-renew"),
    path("tickets/sources/<int:source_id>/end/", tickets.source_end, name="ticket-source-end"),
    path("tickets/<int:ticket_id>/close/", tickets.ticket_close, name="ticket-close"),
    path("api/tickets/<slug:name>/", ticket_api.ticket_intake, name="ticket-intake"),
    path("balancers/", balancers.balancer_list, name="balancers"),
    path("balancers/add/", balancers.balancer_add, name="balancer-add"),
    path("prometheus/", prometheus.source_list, name="prometheus"),
    path("prometheus/set/", prometheus.source_set, name="prometheus-set"),
    path("prometheus/<int:source_id>/drop/", prometheus.source_drop, name="prometheus-drop"),
    path("gateways/<int:gateway_id>/prometheus/", prometheus.gateway_prometheus, name="gateway-prometheus"),
    path("gateways/<int:gateway_id>/prometheus/<str:key>/", prometheus.gateway_chart, name="prometheus-chart"),
    path("probes/", probes.probe_list, name="probes"),
    path("probes/add/", probes.probe_add, name="probe-add"),
    path("probes/<int:host_id>/remove/", probes.probe_remove, name="probe-remove"),
    path("credentials/", credentials.credential_list, name="credentials"),
    path("credentials/rotate/", credentials.credential_rotate, name="credential-rotate"),
    path("credentials/<int:rotation_id>/<str:act>/", credentials.rotation_act, name="rotation-act"),
    path("statements/<int:rotation_id>/<str:stage>/", credentials.rotation_statement, name="rotation-statement"),
    path("kit/<str:ticket>/", login_not_required(install.kit_by_ticket), name="kit"),
    path("alerts/", alerts.alert_list, name="alerts"),
    path("alerts/silences/", alarms.silence_list, name="silences"),
    path("alerts/silences/begin/", alarms.silence_begin, name="silence-begin"),
    path("alerts/silences/<int:silence_id>/end/", alarms.silence_end, name="silence-end"),
    path("alerts/deliveries/", alarms.delivery_list, name="deliveries"),
    path("alerts/deliveries/<int:delivery_id>/again/", alarms.delivery_again, name="delivery-again"),
    path("alerts/rules/", alarm_desks.rule_list, name="rules"),
    path("alerts/rules/new/", own_rules.rule_new, name="rule-new"),
    path("alerts/rules/new/try/", own_rules.rule_try, name="rule-try"),
    path("alerts/rules/new/add/", own_rules.rule_add, name="rule-add"),
    path("alerts/rules/<slug:code>/<int:place>/", alarm_desks.rule_page, name="rule"),
    path("alerts/rules/<slug:code>/<int:place>/change/", alarm_desks.rule_change, name="rule-change"),
    path("alerts/contacts/", alarm_desks.contact_list, name="contacts"),
    path("alerts/contacts/add/", alarm_desks.contact_add, name="contact-add"),
    path("alerts/contacts/<int:contact_id>/retire/", alarm_desks.contact_retire, name="contact-retire"),
    path("alerts/contacts/<int:contact_id>/secret/", alarm_desks.contact_secret, name="contact-secret"),
    path("alerts/contacts/<int:contact_id>/try/", alarm_desks.contact_try, name="contact-try"),
    path("alerts/device/", devices.device_page, name="device"),
    path("alerts/device/on/", devices.device_on, name="device-on"),
    path("alerts/device/<int:contact_id>/off/", devices.device_off, name="device-off"),
    path("alerts/<int:alert_id>/", alerts.alert_page, name="alert"),
    path("alerts/<int:alert_id>/told/", alarms.alert_told, name="alert-told"),
    path("alerts/<int:alert_id>/acknowledge/", alarms.alert_acknowledge, name="alert-acknowledge"),
    path("alerts/<int:alert_id>/<str:action>/", alerts.alert_act, name="alert-act"),
    path("errands/<int:errand_id>/again/", alerts.errand_again, name="errand-again"),
    path("changes/", changes.change_list, name="changes"),
    *policy_urls.urlpatterns,
    path("changes/<int:change_id>/", changes.change_page, name="change"),
    path("changes/<int:change_id>/<str:answer>/", changes.change_decide, name="change-decide"),
    *people_urls.urlpatterns,
    path("keys/", keys.key_list, name="keys"),
    path("keys/add/", keys.key_add, name="key-add"),
    path("keys/<int:key_id>/retire/", keys.key_retire, name="key-retire"),
    path("account/tokens/", tokens.token_list, name="tokens"),
    path("account/tokens/add/", tokens.token_add, name="token-add"),
    path("account/tokens/<int:token_id>/end/", tokens.token_end, name="token-end"),
    path("audit/", record.record, name="audit"),
    path("audit/print/", record.record_print, name="record-print"),
    path("audit/record.<slug:form>", record.record_file, name="record-file"),
    path("api/releases/", intake.release_api, name="api-releases"),
    path("api/bounds/", bounds.bounds_json, name="api-bounds"),
    path("api/rollouts/<int:rollout_id>/", rollouts.rollout_json, name="api-rollout"),
    path("api/rollouts/<int:rollout_id>/<str:path>/", moves.rollout_move_json, name="api-rollout-move"),
    path("webhooks/", webhooks.webhook_list, name="webhooks"),
    path("webhooks/add/", webhooks.webhook_add, name="webhook-add"),
    path("webhooks/<int:webhook_id>/test/", webhooks.webhook_test, name="webhook-test"),
    path("webhooks/<int:webhook_id>/end/", webhooks.webhook_end, name="webhook-end"),
    path("webhooks/deliveries/<int:delivery_id>/again/", webhooks.webhook_again, name="webhook-again"),
    path("api/v1/", include(API_V1)),
    path("manifest.webmanifest", login_not_required(installed.manifest), name="manifest"),
    path("sw.js", login_not_required(installed.worker), name="worker"),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
