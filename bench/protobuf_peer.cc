// SPDX-License-Identifier: Apache-2.0
#include "protobuf_peer.h"

#include "packet.pb.h"

#include <cstring>

namespace {

peer::Packet &message() {
    static peer::Packet one;
    return one;
}

bool copy(const std::string &from, void *to, size_t size) {
    if (from.size() != size) {
        return false;
    }
    std::memcpy(to, from.data(), size);
    return true;
}

} // namespace

#define TEXT_OF(x)  #x
#define VALUE_OF(x) TEXT_OF(x)

const char *protobuf_peer_name(void) {
    return "protobuf C++ (GOOGLE_PROTOBUF_VERSION " VALUE_OF(GOOGLE_PROTOBUF_VERSION) "),"
           " optimize_for SPEED, one reused message, mutable_x()->assign,"
           " SerializeWithCachedSizesToArray, ParseFromArray";
}

size_t protobuf_peer_encode(const kith_content *c, uint8_t *ret_bytes, size_t size) {
    peer::Packet &m = message();
    m.set_version(1);
    m.set_type(c->type);
    m.set_has(c->has);
    m.mutable_template_id()->assign(
        reinterpret_cast<const char *>(c->template_id), sizeof c->template_id);
    m.mutable_source()->assign(reinterpret_cast<const char *>(c->source), sizeof c->source);
    m.set_epoch(c->epoch);
    m.set_seq(c->seq);
    m.set_t_end_us(c->t_end_us);
    m.set_span_s(c->span_s);
    m.set_ttl_s(c->ttl_s);
    m.mutable_subject()->assign(c->address.subject);
    m.set_measure(c->measure);
    m.set_n(c->n);
    m.mutable_effect()->Resize(c->components, 0);
    m.mutable_covariance()->Resize(c->components * (c->components + 1) / 2, 0);
    std::memcpy(m.mutable_effect()->mutable_data(), c->effect,
        sizeof *c->effect * static_cast<size_t>(m.effect_size()));
    std::memcpy(m.mutable_covariance()->mutable_data(), c->covariance,
        sizeof *c->covariance * static_cast<size_t>(m.covariance_size()));
    m.set_conclusion(c->conclusion);
    m.mutable_text()->assign(c->text, c->text_length);
    m.mutable_signature()->assign(
        reinterpret_cast<const char *>(c->signature), sizeof c->signature);
    size_t length = m.ByteSizeLong();
    if (length > size) {
        return 0;
    }
    m.SerializeWithCachedSizesToArray(ret_bytes);
    return length;
}

bool protobuf_peer_decode(const uint8_t *bytes, size_t length, kith_content *c) {
    peer::Packet &m = message();
    if (!m.ParseFromArray(bytes, static_cast<int>(length)) ||
        m.effect_size() > KITH_EFFECT_MAX || m.covariance_size() > 10 ||
        m.subject().size() > KITH_SUBJECT_MAX || m.text().size() > KITH_TEXT_MAX ||
        !copy(m.template_id(), c->template_id, sizeof c->template_id) ||
        !copy(m.source(), c->source, sizeof c->source) ||
        !copy(m.signature(), c->signature, sizeof c->signature)) {
        return false;
    }
    c->type = static_cast<uint8_t>(m.type());
    c->has = static_cast<uint16_t>(m.has());
    c->epoch = m.epoch();
    c->seq = m.seq();
    c->t_end_us = m.t_end_us();
    c->span_s = m.span_s();
    c->ttl_s = m.ttl_s();
    std::memcpy(c->address.subject, m.subject().c_str(), m.subject().size() + 1);
    c->measure = static_cast<uint8_t>(m.measure());
    c->components = static_cast<uint8_t>(m.effect_size());
    c->n = m.n();
    std::memcpy(c->effect, m.effect().data(),
        sizeof *c->effect * static_cast<size_t>(m.effect_size()));
    std::memcpy(c->covariance, m.covariance().data(),
        sizeof *c->covariance * static_cast<size_t>(m.covariance_size()));
    c->conclusion = static_cast<uint16_t>(m.conclusion());
    c->text_length = static_cast<uint8_t>(m.text().size());
    std::memcpy(c->text, m.text().c_str(), m.text().size() + 1);
    return true;
}
