package org.gatun.pci.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.util.ArrayList;
import java.util.List;
import org.gatun.pci.DeviceGoneException;
import org.gatun.pci.DeviceName;
import org.gatun.pci.PciDevice;
import org.gatun.pci.spi.ResourceTracker.Resource;
import org.junit.jupiter.api.Test;

class ResourceTrackerTest {
  private final ResourceTracker tracker = new ResourceTracker(new DeviceName("test", "device"));
  private final List<String> closed = new ArrayList<>();

  private void add(String key, Resource resource) {
    tracker.add(
        key,
        resource,
        () -> {
          closed.add(key);
          tracker.remove(key);
        });
  }

  @Test
  void countsWhatIsGivenOut() {
    add("a", new Resource.Mapping());
    add("b", new Resource.Buffer(4096));
    add("c", new Resource.Buffer(8192));

    assertThat(tracker.usage(3)).isEqualTo(new PciDevice.Usage(1, 2, 12288, 3));
    tracker.remove("b");
    assertThat(tracker.usage(0)).isEqualTo(new PciDevice.Usage(1, 1, 8192, 0));
  }

  @Test
  void closesTheNewestFirst() {
    add("a", new Resource.Mapping());
    add("b", new Resource.Buffer(4096));
    add("c", new Resource.Mapping());
    tracker.remove("b");

    tracker.closeAll();

    assertThat(closed).containsExactly("c", "a");
    assertThat(tracker.usage(0)).isEqualTo(PciDevice.Usage.NONE);
  }

  @Test
  void refusesWhatComesLater() {
    tracker.closeAll();

    assertThatExceptionOfType(DeviceGoneException.class)
        .isThrownBy(() -> add("a", new Resource.Mapping()))
        .withMessageContaining("test:device");
    assertThat(tracker.usage(0)).isEqualTo(PciDevice.Usage.NONE);
  }

  @Test
  void aFailureDoesNotKeepTheOthersOpen() {
    add("a", new Resource.Mapping());
    tracker.add(
        "bad",
        new Resource.Mapping(),
        () -> {
          throw new IllegalStateException("bad");
        });
    tracker.add(
        "worse",
        new Resource.Mapping(),
        () -> {
          throw new InternalError("worse");
        });

    assertThatExceptionOfType(InternalError.class)
        .isThrownBy(tracker::closeAll)
        .withMessage("worse")
        .satisfies(
            e ->
                assertThat(e.getSuppressed())
                    .singleElement()
                    .isInstanceOf(IllegalStateException.class));
    assertThat(closed).containsExactly("a");
  }
}
