package qupath.lib.objects

/** An annotation or a detection, kept as the feature that it was read from. */
class PathObject {

    final UUID id
    final Map geometry
    final String objectType
    private Map classification
    private Map<String, Number> measurements
    private Map<String, String> metadata
    private boolean locked

    PathObject(Map feature) {
        id = UUID.fromString(feature.id)
        geometry = feature.geometry
        objectType = feature.properties.objectType
        classification = feature.properties.classification
        measurements = feature.properties.measurements ?: [:]
        metadata = feature.properties.metadata
        locked = feature.properties.isLocked ?: false
        assert objectType in ['annotation', 'detection']
    }

    boolean isAnnotation() { objectType == 'annotation' }

    boolean isDetection() { objectType == 'detection' }

    Map getPathClass() { classification }

    void setPathClass(Map given) { classification = given }

    MeasurementList getMeasurementList() { new MeasurementList(measurements) }

    void setLocked(boolean given) { locked = given }

    boolean isLocked() { locked }

    /** Made when it is asked for: a map for each of a million cells fills QuPath's memory. */
    Map<String, String> getMetadata() {
        if (metadata == null) {
            metadata = [:]
        }
        return metadata
    }

    boolean hasMetadataMap() { metadata != null }

    /** The feature as QuPath writes it: a place to two decimals, and no member that it does not know. */
    Map toFeature(boolean withMeasurements) {
        def properties = [objectType: objectType]
        if (classification) {
            properties.classification = classification
        }
        if (locked) {
            properties.isLocked = true
        }
        if (withMeasurements && measurements) {
            properties.measurements = measurements
        }
        if (metadata) {
            properties.metadata = metadata
        }
        return [type: 'Feature', id: id.toString(), geometry: rounded(geometry), properties: properties]
    }

    private static rounded(given) {
        if (given instanceof Map) {
            return given.collectEntries { key, value -> [key, rounded(value)] }
        }
        if (given instanceof List) {
            return given.collect { rounded(it) }
        }
        return given instanceof Number ? Math.round(given.doubleValue() * 100) / 100.0d : given
    }
}

class MeasurementList {

    private final Map<String, Number> values

    MeasurementList(Map<String, Number> values) { this.values = values }

    boolean containsKey(String name) { values.containsKey(name) }
}
