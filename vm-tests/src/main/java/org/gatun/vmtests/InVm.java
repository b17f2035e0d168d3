package org.gatun.vmtests;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.gatun.vmtests.inside.Inside;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A test class that runs inside the machine, by a {@link VmRun}. The build leaves its tag out; if
 * it is started on a host by other means, it is skipped.
 */
@Documented
@Inherited
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@Tag(InVm.TAG)
@ExtendWith(InVm.OnlyInside.class)
public @interface InVm {
  /** The tag that surefire excludes. */
  String TAG = "in-vm";

  /** Skips what is not inside. */
  final class OnlyInside implements ExecutionCondition {
    OnlyInside() {}

    @Override
    public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
      return Inside.isInside()
          ? ConditionEvaluationResult.enabled("inside the virtual machine")
          : ConditionEvaluationResult.disabled("runs only inside the virtual machine");
    }
  }
}
