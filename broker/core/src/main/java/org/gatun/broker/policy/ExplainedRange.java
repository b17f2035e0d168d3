package org.gatun.broker.policy;

import java.util.OptionalInt;

/**
 * What a guest finds at one place of config space, and why.
 *
 * @param offset in config space
 * @param length in bytes; of a field, its width
 * @param name of the field, or what the range is
 * @param part what it belongs to: header, a capability, or nothing that rules know
 * @param value what a guest sees there now; none for a range that is no field
 * @param readMask the bits of each field that a guest sees; of a range, all ones or zero
 * @param writeMask the bits that may change in the hardware when a guest writes; of a range, all
 *     ones or zero
 * @param write what a write does, for people
 * @param rule which rule says so, for people
 */
public record ExplainedRange(
    int offset,
    int length,
    String name,
    String part,
    OptionalInt value,
    int readMask,
    int writeMask,
    String write,
    String rule) {}
